"""What people do at a running school stands in its evidence: a pause, an export, to the second."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import plain_upstream
from tests.lab.running import ROOT, RunningFilterd, until

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def school(tmp_path: Path) -> Iterator[RunningFilterd]:
    with plain_upstream.serve() as upstream:
        settings = {"workers": 1, "policies": str(ROOT / "policies"), "upstreams": [upstream]}
        running = RunningFilterd(tmp_path, settings).start()
        yield running
        running.stop()


def paused_seconds(school: RunningFilterd) -> float:
    """Of the stored account; whole pauses only, so stop first."""
    with sqlite3.connect(f"file:{school.folder}/var/filterd.db?mode=ro", uri=True) as database:
        total = database.execute("SELECT * FROM exposure").fetchone()
    return float(total[4]) / 1000


def test_a_pause_is_counted_from_its_first_second_to_its_last(school: RunningFilterd) -> None:
    """The meter asks every ten seconds; a pause between two of its rounds is not lost."""
    status = school.control.call("evidence.status")
    assert status["period"]
    began = time.monotonic()
    school.control.call("pause.start", minutes=60, reason="sửa mạng")
    time.sleep(2.0)
    school.control.call("pause.stop")
    lasted = time.monotonic() - began
    school.stop()
    assert 1.9 <= paused_seconds(school) <= lasted + 0.1


def test_an_export_that_the_log_does_not_tell_of_fails_data_governance(
    school: RunningFilterd,
) -> None:
    def exports() -> dict[str, int]:
        school.control.call("evidence.selftest", whole=False)  # gathers the day anew
        found = {each["id"]: each for each in school.control.call("evidence.status")["indicators"]}
        return dict(found["I13"]["parts"])

    school.control.call("backup.export", parts=["policy"], passphrase="một câu thật dài")
    assert exports()["exports"] == 1
    with sqlite3.connect(f"{school.folder}/var/filterd.db", timeout=10) as database:
        database.execute("DROP TRIGGER IF EXISTS audit_keep")
        for (trigger,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"
        ).fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute("UPDATE audit SET action = 'nothing' WHERE action = 'backup.export'")
    until(lambda: exports()["exports"] == 0, 60, "the missing line noticed")
