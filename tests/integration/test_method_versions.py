"""A version of the method from the office's page to the school's status and back, over HTTPS."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from admin_ui.office import assess, ingest, methods, publish
from admin_ui.office.metrics import exposition
from admin_ui.office.tables import assessments, summaries
from filterd.errors import EvidenceError
from filterd.evidence import bundle
from filterd.evidence.indicators import Facts, Period, compute
from filterd.evidence.records import Summary
from tests.lab.methods import edited, v1
from tests.lab.office_hub import Hub, open_hub, visit
from tests.lab.office_school import days
from tests.lab.school_month import perfect_day


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with open_hub(tmp_path) as opened:
        yield opened


def open_a_little(record: Summary) -> None:
    """72 seconds of ten hours: 99,8 %, enough for v0 and not for v1."""
    record["time"].update(enforcing_s=35_928, exposed_s=72)


def by(version: str) -> object:
    def change(record: Summary) -> None:
        open_a_little(record)
        record["method"] = version

    return change


def verdict_of(row: dict[str, object]) -> tuple[object, str, int]:
    found = next(i for i in json.loads(str(row["indicators"])) if i["id"] == "I1")
    return row["method"], found["verdict"], found["threshold"]


def test_a_school_computes_by_the_version_that_its_bundle_names(hub: Hub) -> None:
    box = hub.box()
    link = hub.link(box)
    assert visit(hub, link) == (0, None)
    assert link.versions() is None  # the shipped one goes on
    methods.add(hub.office, v1("2026-12-01"))
    publish.release(hub.office, "test", "method v1")
    assert visit(hub, link) == (1, None)
    told = link.told()
    assert told is not None and (told["method"], told["method_fault"]) == ("v1", None)
    after_a_restart = hub.link(box).versions()
    for versions in (link.versions(), after_a_restart):
        assert versions is not None
        november, december = (versions.on(date(2026, month, 20)) for month in (11, 12))
        assert (november.version, december.version) == ("v0", "v1")
        record = perfect_day()
        open_a_little(record)
        facts = Facts.gather(Period.month("2026-11", date(2026, 11, 2)), [record])
        assert compute(facts, november)["I1"].verdict == "pass"
        assert compute(facts, december)["I1"].verdict == "warn"


def test_a_method_that_a_school_cannot_read_holds_nothing_else_up(hub: Hub) -> None:
    """A bundle of a later office: its names act, the method before goes on, and the box says so."""
    box = hub.box()
    link = hub.link(box)
    publish.release(hub.office, "test", "one")
    assert visit(hub, link) == (1, None)
    later = json.loads(json.loads((hub.folder / "public" / "bundle.json").read_bytes())["body"])
    later.update(version=2, method="v8", methods={"v8": "version: v8\nanother: form\n"})
    key = publish.keys(hub.office, ("release",))
    (hub.folder / "public" / "bundle.json").write_bytes(bundle.sign(bundle.BUNDLE, later, key))
    assert visit(hub, link) == (2, None)
    told, versions = link.told(), link.versions()
    assert (
        told is not None and told["method"] == "v8" and "method file" in str(told["method_fault"])
    )
    assert versions is not None and versions.on(date(2026, 12, 1)).version == "v0"


def test_each_month_is_judged_by_its_own_version_and_another_one_is_shown(hub: Hub) -> None:
    """A threshold that changes on the first of December: the same days met, then not quite."""
    office, box = hub.office, hub.box()
    methods.add(office, v1("2026-12-01"))
    for day in (*days(date(2026, 11, 1), 30), *days(date(2026, 12, 1), 20)):
        # From the 11th the box is one that never got the version; on the 15th one nobody knows.
        named = "v0" if day < date(2026, 12, 1) or day > date(2026, 12, 10) else "v1"
        hub.clock.to(day.replace(day=day.day + 1) if day.day < 30 else date(2026, 12, 1))
        sent = box.day(day, by("v9" if day == date(2026, 12, 15) else named))  # type: ignore[arg-type]
        assert ingest.take(office, sent) == "accepted", "it is taken, whatever it names"
    assess.new_day(office)
    assess.sweep_all(office)
    rows = office.rows(select(assessments).order_by(assessments.c.month))
    assert [verdict_of(row) for row in rows] == [("v0", "pass", 9950), ("v1", "warn", 9990)]
    assert [row["strange"] for row in rows] == [0, 10]
    kept = office.rows(select(summaries.c.method).where(summaries.c.day == "2026-12-15"))
    assert kept == [{"method": "v9"}]
    assert "filterd_office_other_method_schools 1" in exposition(office)


def test_a_version_is_never_changed_and_never_begins_in_the_past(hub: Hub) -> None:
    methods.add(hub.office, v1("2026-12-01"))
    for text, code in (
        (v1("2027-01-01"), "method_known"),
        (edited(version="v0"), "method_known"),
        (v1("2026-11-01", "v2"), "method_begun"),
        (edited(version="v2", locked={"pupils": []}), "bad_method"),
    ):
        with pytest.raises(EvidenceError) as caught:
            methods.add(hub.office, text)
        assert caught.value.code == code
    assert asyncio.run(hub.link(hub.box()).round(hub.line)).error is None
