"""T5, T6, T10 (the school's part) and T15 of the requirements."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from filterd.config import Listen, Settings
from filterd.errors import StorageError
from filterd.evidence import signing
from filterd.evidence.courier import Courier, Office
from filterd.evidence.decision import Status, decide
from filterd.evidence.indicators import Facts, Period, Proof, Verdict, compute
from filterd.evidence.meter import Machine, Meter
from filterd.evidence.recorder import Recorder
from filterd.evidence.summary import decode, encode
from filterd.storage.database import Database, open_database
from filterd.storage.evidence import EvidenceStore
from tests.lab import tiny_filter, tiny_office
from tests.lab.evidence_school import METHOD, ZONE, FakeSchool
from tests.lab.school_month import perfect_month
from tests.lab.tiny_filter import blocked


class Box:
    """A box on real sockets and a real database whose clocks the test turns by hand."""

    def __init__(self, folder: Path, database: Database, settings: Settings) -> None:
        self.school = FakeSchool(at=datetime(2026, 11, 23, 8, 0, tzinfo=ZONE))
        self.store = EvidenceStore(database)
        self.recorder = Recorder(settings, self.store, self.school, self._nobody)
        self.boot, self.uptime = "b1", 500.0
        self.restart()

    async def _nobody(self) -> None:
        return None

    def restart(self) -> None:
        self.meter = Meter(
            self.store, self.school, self.recorder.examiner.lanes, self.recorder._hours,
            Machine(lambda: self.boot, lambda: self.uptime),
        )  # fmt: skip
        self.recorder.meter = self.meter

    def sleep(self, seconds: float) -> None:
        self.uptime += seconds
        self.school.at += timedelta(seconds=seconds)

    async def live(self, seconds: int) -> None:
        await self.meter.tick()
        for _ in range(seconds // 10):
            self.sleep(10)
            await self.meter.tick()


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    database = await open_database(tmp_path / "filterd.db")
    async with tiny_filter.serve(lambda *asked: blocked()) as server:
        settings = Settings(
            state_dir=tmp_path, policies=tmp_path, catalogue=tmp_path / "c.yaml",
            listen=Listen(dns=(server,)),
        )  # fmt: skip
        yield Box(tmp_path, database, settings)
    await database.close()


async def test_T5_jumps_reboots_and_a_month_without_a_line(box: Box, tmp_path: Path) -> None:
    """No counter shrinks, no missing minute is up, every day reaches the office in order."""
    await box.live(120)
    seen = [box.meter.account.total]
    box.school.at += timedelta(days=400)  # the clock jumps ahead, and back
    await box.live(60)
    box.school.at -= timedelta(days=400)
    await box.live(60)
    seen.append(box.meter.account.total)
    box.boot, box.uptime = "b2", 30.0  # a power cut of two hours
    box.school.at += timedelta(hours=2)
    box.restart()
    await box.meter.load()
    await box.live(60)
    seen.append(box.meter.account.total)
    for before, after in itertools.pairwise(seen):
        assert after.enforcing >= before.enforcing
        assert after.exposed >= before.exposed
        assert after.offline >= before.offline
    today = box.meter.account.days[date(2026, 11, 23)].service
    assert today.enforcing <= 300_000  # two hours and the jumps proved nothing
    box.school.at += timedelta(days=30)
    closed = await box.recorder.daybook.close_days(box.meter.account)
    summaries = [decode(signing.decode(each.envelope).body) for each in closed]
    assert len(summaries) == 30
    assert all(s["time"]["enforcing_s"] == 0 for s in summaries[1:])
    office = tiny_office.TinyOffice(now=box.school.at)
    with tiny_office.serve(office, tmp_path):
        here = Office(office.url, office.ca)
        await box.recorder.enrol(here, "code")
        assert (await Courier(box.store, box.school.now).deliver(here)).taken == 30
    period = Period.month("2026-11", date(2026, 11, 30))
    facts = Facts.gather(period, summaries, date(2026, 11, 23))
    assert compute(facts, METHOD)["I1"].verdict is not Verdict.PASS


async def test_T5_a_full_disk_loses_nothing_that_was_counted(box: Box) -> None:
    await box.live(60)
    database = box.store._database
    pages = (await database.row("PRAGMA page_count"))["page_count"]  # type: ignore[index]
    await database.rows(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError):
        for n in range(500):
            await box.store.add_cells(f"2026-{n:04}", [])
            await database._connection.execute(
                "INSERT INTO selftests VALUES (NULL,'','',0,0,0,?,'')", ("x" * 4000,)
            )
            await box.meter.save()
            async with database.write() as writing:
                await writing.run(
                    "INSERT INTO selftests VALUES (NULL,'','',0,0,0,?,'')", "x" * 4000
                )
    counted = box.meter.account.total
    await database.rows("PRAGMA max_page_count = 1000000")
    await box.live(60)
    await box.meter.save()
    box.restart()
    await box.meter.load()
    assert box.meter.account.total.enforcing >= counted.enforcing


async def test_T6_ten_minutes_of_pause_are_exposure(box: Box) -> None:
    await box.live(60)
    box.school.stopped = True
    await box.meter.tick()  # what the pause does at its beginning and at its end
    await box.live(600)
    box.school.stopped = False
    await box.meter.tick()
    await box.live(60)
    spent = box.meter.account.days[date(2026, 11, 23)].service
    assert (spent.exposed, spent.paused) == (600_000, 600_000)
    assert spent.enforcing == 120_000


async def test_T10_edited_foreign_and_replayed_summaries_are_refused(
    box: Box, tmp_path: Path
) -> None:
    await box.live(60)
    box.school.at += timedelta(days=3)
    first, second, third = await box.recorder.daybook.close_days(box.meter.account)
    office = tiny_office.TinyOffice(now=box.school.at, public=box.recorder.key.public)
    assert office.take(first.envelope) == 201
    edited = second.envelope.replace(b'\\"exposed_s\\":0', b'\\"exposed_s\\":1', 1)
    assert edited != second.envelope
    assert office.take(edited) == 422
    stranger = signing.device_key(tmp_path / "other")
    body = signing.decode(second.envelope).body
    assert office.take(stranger.sign(signing.SUMMARY, body).encode()) == 422
    better = decode(signing.decode(first.envelope).body)
    better["time"]["enforcing_s"] = 36_000
    assert office.take(box.recorder.key.sign(signing.SUMMARY, encode(better)).encode()) == 422
    assert office.take(first.envelope) == 409
    assert office.take(second.envelope) == office.take(third.envelope) == 201
    assert office.refused == ["signature", "device", "replay"]


def test_T15_a_box_beside_the_line_says_not_measurable_and_is_capped() -> None:
    month = perfect_month()
    for day in month:
        day["facility"]["deployment"] = "dns_only"
        day["path"] = day["flows"] = None
    period = Period.month("2026-11", date(2026, 11, 30))
    lab = {
        "index": month[0]["policy"]["index"],
        "recall": {c: [300, 300] for c in METHOD.efficacy},
        "vietnamese": {c: [100, 100] for c in METHOD.efficacy},
        "false_block": [0, 2000],
    }
    facts = Facts.gather(period, month, efficacy=lab, proof=Proof(4, 4))  # type: ignore[arg-type]
    found = compute(facts, METHOD)
    assert found["I2b"].value is None
    assert found["I2b"].verdict is Verdict.UNMEASURED
    decision = decide(found, METHOD, [], date(2026, 12, 1))
    assert decision.status is Status.CONDITIONAL
    assert set(decision.limits) == {"I2", "I2b"}
