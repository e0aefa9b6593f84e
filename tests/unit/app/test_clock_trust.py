"""When a wall clock is believed: 1970, last night, a clock set back, a box with a battery."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from filterd import RELEASED
from filterd.app.clock import awaited, plausible, seen_by, synchronised

NOW = datetime(2027, 3, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shown", "latest", "believed"),
    [
        pytest.param(datetime(1970, 1, 1, tzinfo=UTC), None, False, id="no battery"),
        pytest.param(datetime(1970, 1, 1, tzinfo=UTC), NOW, False, id="no battery, known box"),
        pytest.param(RELEASED - timedelta(seconds=1), None, False, id="before this release"),
        pytest.param(NOW, None, True, id="first start"),
        pytest.param(NOW, NOW - timedelta(days=40), True, id="after the holidays"),
        pytest.param(NOW, NOW + timedelta(hours=23), True, id="set back a little"),
        pytest.param(NOW, NOW + timedelta(hours=25), False, id="set back a day"),
    ],
)
def test_a_clock_that_cannot_be_right_is_not_believed(
    shown: datetime, latest: datetime | None, believed: bool
) -> None:
    assert plausible(shown, latest) is believed


def test_the_last_policy_tells_when_this_box_last_ran(tmp_path: Path) -> None:
    assert seen_by(tmp_path / "none") is None
    (tmp_path / "policy-last.json").write_text("{}")
    seen = seen_by(tmp_path / "policy-last.json")
    assert seen is not None and abs(seen - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("there", "kept", "waits"),
    [
        pytest.param((), False, False, id="nobody keeps the time"),
        pytest.param(("sys/class/rtc/rtc0",), False, False, id="a battery"),
        pytest.param(("run/systemd/timesync", "sys/class/rtc/rtc0"), False, False, id="both"),
        pytest.param(("run/systemd/timesync",), False, True, id="timesyncd"),
        pytest.param(("run/systemd/timesync", "sys/class/rtc"), None, True, id="no clock in it"),
        pytest.param(("run/systemd/timesync/synchronized",), None, False, id="timesyncd did it"),
        pytest.param(("run/chrony",), False, True, id="chrony"),
        pytest.param(("run/chrony",), True, False, id="chrony did it"),
        pytest.param(("run/chrony",), None, True, id="chrony, and nobody can tell"),
        pytest.param(("run/chrony", "sys/class/rtc/rtc0"), False, False, id="chrony, a battery"),
        pytest.param(("run/ntpd.pid",), False, True, id="ntpsec"),
    ],
)
def test_a_box_without_a_battery_waits_for_its_time_daemon(
    tmp_path: Path, there: tuple[str, ...], kept: bool | None, waits: bool
) -> None:
    for name in there:
        (tmp_path / name).mkdir(parents=True)
    assert awaited(tmp_path, lambda: kept) is waits


@pytest.mark.parametrize(("said", "code", "told"), [("yes", 0, True), ("no", 0, False)])
def test_timedated_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, code: int, told: bool
) -> None:
    program = tmp_path / "timedatectl"
    program.write_text(f"#!/bin/sh\necho {said}\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert synchronised() is told


def test_without_timedated_the_kernel_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its word is held against adjtimex(8)'s own reading where that is installed."""
    monkeypatch.setenv("PATH", "/nonexistent")
    said = synchronised()
    assert said is not None
    if shutil.which("adjtimex", path="/usr/sbin:/sbin"):
        shown = subprocess.run(["/sbin/adjtimex", "-p"], capture_output=True, text=True, timeout=9)
        error = re.search(r"maxerror: (\d+)", shown.stdout)
        assert error is not None and (int(error[1]) < 16_000_000) is said
