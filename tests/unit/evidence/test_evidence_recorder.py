"""The evidence of a running school on real sockets, a real database and a real HTTPS office."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from filterd.config import Address, Listen, Settings
from filterd.errors import EvidenceError
from filterd.evidence import signing
from filterd.evidence.courier import Courier, Office
from filterd.evidence.door import Door, office_of
from filterd.evidence.exposure import Kind
from filterd.evidence.indicators import Period, Verdict, compute
from filterd.evidence.meter import Machine, Meter
from filterd.evidence.recorder import Recorder
from filterd.evidence.records import Summary
from filterd.evidence.summary import decode
from filterd.storage.database import Database, open_database
from filterd.storage.evidence import EvidenceStore, StoredSummary
from filterd.storage.small import Values
from tests.lab import tiny_filter, tiny_office
from tests.lab.evidence_school import ZONE, FakeSchool, honest, shipped
from tests.lab.tiny_filter import address, blocked, plain

HOLIDAY_FREE_MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=ZONE)


@dataclass
class Clocks:
    """The machine's clocks, turned by the test together with the school's wall clock."""

    school: FakeSchool
    boot: str = "b1"
    uptime: float = 500.0

    def machine(self) -> Machine:
        return Machine(lambda: self.boot, lambda: self.uptime)

    def pass_(self, seconds: float) -> None:
        self.uptime += seconds
        self.school.at += timedelta(seconds=seconds)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(tmp_path / "filterd.db")
    yield opened
    await opened.close()


@pytest.fixture
def school() -> FakeSchool:
    return FakeSchool(at=HOLIDAY_FREE_MONDAY)


def settings(folder: Path, server: Address) -> Settings:
    return Settings(
        state_dir=folder, policies=folder, catalogue=folder / "catalogue.yaml",
        listen=Listen(dns=(server,)),
    )  # fmt: skip


async def nobody() -> Office | None:
    return None


@pytest.fixture
async def recorder(
    tmp_path: Path, database: Database, school: FakeSchool
) -> AsyncIterator[Recorder]:
    right = honest(shipped(school.known), school.known)
    async with tiny_filter.serve(right) as server:
        yield Recorder(settings(tmp_path, server), EvidenceStore(database), school, nobody)


def body(stored: StoredSummary, key: signing.DeviceKey) -> Summary:
    signed = signing.decode(stored.envelope)
    return decode(signing.verify(signed, key.public, signing.SUMMARY))


async def test_the_meter_sees_enforcing_leaking_and_silent_filters(
    database: Database, school: FakeSchool, tmp_path: Path
) -> None:
    answers = {"now": blocked()}
    clocks = Clocks(school)
    async with tiny_filter.serve(lambda *asked: answers["now"]) as server:
        made = Recorder(settings(tmp_path, server), EvidenceStore(database), school, nobody)
        meter = Meter(
            EvidenceStore(database), school, made.examiner.lanes, made._hours, clocks.machine()
        )
        assert (await meter.tick()).kind is Kind.ENFORCING
        clocks.pass_(10)
        answers["now"] = address("192.0.2.1")
        assert (await meter.tick()).kind is Kind.EXPOSED
        clocks.pass_(10)
        school.internet = False
        assert (await meter.tick()).kind is Kind.OFFLINE
    school.internet, school.closed = True, True
    clocks.pass_(10)
    assert (await meter.tick()).kind is Kind.OFFLINE  # nobody answers, nothing gets out


async def test_the_account_survives_a_restart_and_never_shrinks(
    database: Database, school: FakeSchool, recorder: Recorder
) -> None:
    clocks = Clocks(school)

    def meter() -> Meter:
        return Meter(
            EvidenceStore(database), school, recorder.examiner.lanes, recorder._hours,
            clocks.machine(),
        )  # fmt: skip

    first = meter()
    await first.load()
    for _ in range(12):
        await first.tick()
        clocks.pass_(10)
    second = meter()  # kill -9: nothing was saved on the way out
    await second.load()
    assert 60_000 <= second.account.total.enforcing <= 110_000
    await second.tick()
    clocks.pass_(10)
    await second.tick()
    third = meter()
    await third.load()
    assert third.account.total.enforcing >= second.account.total.enforcing - 10_000
    assert third.account.days[date(2026, 11, 23)].service.enforcing > 0


async def test_a_self_test_is_kept_as_counts_only(recorder: Recorder, database: Database) -> None:
    found = await recorder.examine(whole=False)
    assert found.passed
    passed, executed = found.counts["block"]["primary"]["porn"]
    assert passed == executed > 0
    rows = await database.rows("SELECT counts, failed FROM selftests")
    assert "moet" not in json.dumps([dict(row) for row in rows])


async def awake(recorder: Recorder) -> None:
    """The box runs: two observations make a first stretch of time."""
    await recorder.meter.tick()
    await recorder.meter.tick()


async def days(recorder: Recorder, school: FakeSchool, count: int) -> list[Summary]:
    """Live that many days, closing after midnight; one self-test, on the first morning."""
    closed = []
    await recorder.examine(whole=False)
    for _ in range(count):
        school.at += timedelta(days=1)
        closed += await recorder.daybook.close_days(recorder.meter.account)
    return [body(each, recorder.key) for each in closed]


async def test_days_are_closed_in_a_signed_chain(recorder: Recorder, school: FakeSchool) -> None:
    await awake(recorder)
    made = await days(recorder, school, 3)
    assert [s["counter"] for s in made] == [1, 2, 3]
    assert [s["day"] for s in made] == ["2026-11-23", "2026-11-24", "2026-11-25"]
    assert made[1]["previous"] != made[2]["previous"]
    assert made[0]["selftest"]["executed"] > 500
    assert made[0]["volume"] == {"queries": 120_340}
    assert made[0]["bypass"]["dot_dropped"]["passed"] == 1
    assert await recorder.daybook.close_days(recorder.meter.account) == []


async def test_hours_without_a_self_test_count_as_missing(
    recorder: Recorder, school: FakeSchool
) -> None:
    await awake(recorder)
    made = (await days(recorder, school, 1))[0]
    assert made["selftest"]["scheduled"] > 5 * made["selftest"]["executed"]


async def test_nothing_is_signed_while_the_clock_is_not_trusted(
    recorder: Recorder, school: FakeSchool
) -> None:
    await awake(recorder)
    school.trusted = False
    assert await days(recorder, school, 2) == []


async def test_a_month_s_cells_leave_once_suppressed_and_are_forgotten(
    recorder: Recorder, school: FakeSchool, database: Database
) -> None:
    school.at = datetime(2026, 11, 29, 8, 0, tzinfo=ZONE)
    await awake(recorder)
    made = await days(recorder, school, 4)
    with_cells = [s for s in made if s["cells"] is not None]
    assert [s["day"] for s in with_cells] == ["2026-12-01"]
    cells = with_cells[0]["cells"]
    assert cells is not None
    assert cells["month"] == "2026-11"
    # Even the games cell goes: with it, the total would give away the one child behind self_harm.
    assert cells["rows"]["primary"]["cells"]["self_harm"] is None
    rows = await database.rows("SELECT DISTINCT month FROM month_cells")
    assert [row["month"] for row in rows] == ["2026-12"]


async def test_a_month_offline_is_delivered_in_order(
    recorder: Recorder, school: FakeSchool, tmp_path: Path, database: Database
) -> None:
    await awake(recorder)
    await days(recorder, school, 1)
    school.at += timedelta(days=29)
    await recorder.daybook.close_days(recorder.meter.account)
    office = tiny_office.TinyOffice(now=school.at, broken=True)
    with tiny_office.serve(office, tmp_path):
        here = Office(office.url, office.ca)
        assert await recorder.enrol(here, "code") == "VN-79-000123"
        courier = Courier(EvidenceStore(database), school.now)
        assert (await courier.deliver(here)).waiting == "HTTP 503"
        office.broken = False
        assert (await courier.deliver(here)).taken == 30
        assert sorted(office.taken) == list(range(1, 31))
        assert await courier.deliver(here) == type(await courier.deliver(here))()
    first = office.taken[2]
    assert first["time"]["enforcing_s"] == 0  # days that nobody measured are not "up"


async def test_after_enrolment_the_school_goes_by_its_name_in_the_register(
    recorder: Recorder, school: FakeSchool, tmp_path: Path, database: Database
) -> None:
    store, values = EvidenceStore(database), Values(database)
    await awake(recorder)
    before = await days(recorder, school, 2)
    assert {s["school"] for s in before} == {"unregistered"}
    office = tiny_office.TinyOffice(now=school.at)
    with tiny_office.serve(office, tmp_path):
        recorder._office = lambda: office_of(values)
        door = Door(recorder, store, values, lambda address: None)
        assert (await door.enrol(office.url, "code", office.ca))["school"] == "VN-79-000123"
        assert await store.unsent(10) == []
        after = await days(recorder, school, 1)
        assert {s["school"] for s in after} == {"VN-79-000123"}
        sent = await recorder.deliver()
        assert sent is not None and sent.taken == 1
    assert list(office.taken) == [3]
    kept = await store.summaries("2026-11-23", "2026-11-25")
    assert [each.answer for each in kept] == ["before enrolment"] * 2 + [None]


async def test_another_certificate_gets_nothing(
    recorder: Recorder, school: FakeSchool, tmp_path: Path, database: Database
) -> None:
    await awake(recorder)
    await days(recorder, school, 1)
    office = tiny_office.TinyOffice(now=school.at)
    with tiny_office.serve(office, tmp_path):
        said = await Courier(EvidenceStore(database), school.now).deliver(Office(office.url))
    assert said.taken == 0
    assert said.waiting is not None
    assert "CERTIFICATE" in said.waiting.upper()
    assert office.taken == {}


def test_summaries_travel_only_over_https() -> None:
    with pytest.raises(EvidenceError, match="https"):
        Office("http://office.example")


async def test_challenge_is_signed_bound_to_the_nonce_and_quick(recorder: Recorder) -> None:
    signed = await recorder.answer_challenge("thanh-tra-2026", "primary")
    record = json.loads(signing.verify(signed, recorder.key.public, signing.CHALLENGE))
    assert (record["nonce"], record["tier"]) == ("thanh-tra-2026", "primary")
    assert [c["kind"] for c in record["checks"]] == ["block"] * 9 + ["allow"] * 3
    assert [c["passed"] for c in record["checks"]] == [True] * 12
    for bad in ("", "ab", "x" * 65, "a b c d e f"):
        with pytest.raises(EvidenceError, match="nonce"):
            await recorder.answer_challenge(bad, "primary")


async def test_the_running_day_counts_in_a_partial_month(
    recorder: Recorder, school: FakeSchool
) -> None:
    await awake(recorder)
    await days(recorder, school, 2)
    period = Period.month("2026-11", as_of=recorder.today())
    facts = await recorder.facts(period)
    assert [day["day"] for day in facts.days] == ["2026-11-23", "2026-11-24", "2026-11-25"]
    found = compute(facts, recorder.method())
    assert found["I12"].verdict is Verdict.PASS
    assert found["I5b"].verdict is Verdict.UNMEASURED


async def test_an_answer_that_is_not_blocked_is_no_enforcement(
    tmp_path: Path, database: Database, school: FakeSchool
) -> None:
    async with tiny_filter.serve(lambda *asked: plain()) as server:
        made = Recorder(settings(tmp_path, server), EvidenceStore(database), school, nobody)
        assert (await made.meter.tick()).kind is Kind.EXPOSED
