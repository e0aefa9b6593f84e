"""What is seen is counted by days and ends with them; what too few took part in is not kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from filterd.app.seen import SeenLately, clients
from filterd.app.traffic import TrafficHistory
from filterd.metrics import counters, layout
from filterd.storage.database import Database, open_database
from filterd.storage.traffic import DAY, QUARTER, Traffic

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


class Workers:
    """Workers that answer what the test put there, once."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.next: dict[str, Any] = {}

    def states(self) -> tuple[()]:
        return ()

    async def tell(self, frame: dict[str, Any], seconds: float = 5.0) -> list[dict[str, Any]]:
        self.keys.append(frame["key"])
        answer, self.next = self.next, {}
        return [answer] if answer else []


class Scene:
    def __init__(self, folder: Path, database: Database) -> None:
        self.now = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # 8:00 in Viet Nam
        self.workers = Workers()
        self.seen = SeenLately(self.workers, lambda: self.now, lambda: "Asia/Ho_Chi_Minh")
        self.path = folder / "counters"
        counters.create(self.path, 1)
        self.counts = counters.Counters.open(self.path, 0)
        self.store = Traffic(database)
        self.history = TrafficHistory(self.store, self.path, self.seen)

    async def minute(self, marks: int, uses: int = 1, sources: int = 0) -> None:
        """A minute in which so many clients of primary were refused games so often each."""
        self.now += timedelta(minutes=1)
        for transport in (layout.UDP, layout.TCP):
            place = layout.query_place(1, layout.BLOCKED, transport)
            self.counts.add(place, marks * uses)
        self.workers.next = {
            "names": [["www.example.com", 5, (1 << marks) - 1]],
            "refusals": [["primary", "games", f"m{i}", uses] for i in range(marks)]
            + [["primary", "self_harm", f"m{i}", 1] for i in range(marks)],
            "places": [["primary", "phong-1", True, sources]],
        }
        await self.history.poll(
            self.now.astimezone(ZONE), layout.STANDARD_TIERS, lambda name: name == "self_harm"
        )


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    database = await open_database(tmp_path / "d")
    yield Scene(tmp_path, database)
    await database.close()


@pytest.mark.parametrize(
    ("bits", "low", "high"), [(0, 0, 0), (1, 1, 1), (10, 10, 12), (64, 200, 300)]
)
def test_sketches_count_distinct_clients(bits: int, low: int, high: int) -> None:
    assert low <= clients((1 << bits) - 1) <= high


async def test_names_of_all_workers_and_minutes_come_together(scene: Scene) -> None:
    await scene.minute(3)
    await scene.minute(12)
    [name] = (await scene.seen.names()).items
    assert name.name == "www.example.com" and 11 <= name.clients <= 14


async def test_the_key_and_the_marks_end_with_the_school_day(scene: Scene) -> None:
    await scene.minute(12)
    scene.now += timedelta(days=1)
    await scene.minute(2)
    await scene.minute(2)
    assert scene.workers.keys[0] != scene.workers.keys[-1]
    today = scene.seen.refusals(scene.now.astimezone(ZONE).date())
    assert {mark for by_mark in today.values() for mark in by_mark} == {"m0", "m1"}
    assert not scene.seen.refusals((scene.now - timedelta(days=1)).date()), "marks are gone"
    [name] = (await scene.seen.names()).items
    assert name.clients >= 11, "yesterday's estimate stays, its marks do not"


async def test_a_quarter_hour_with_few_clients_is_kept_as_unknown(scene: Scene) -> None:
    for _ in range(3):
        await scene.minute(4, sources=30)
    scene.now += timedelta(minutes=15)
    await scene.minute(12, sources=30)
    scene.now += timedelta(minutes=15)
    await scene.minute(0)
    cells = [
        cell
        for cell in await scene.store.cells(QUARTER, scene.now - timedelta(hours=2))
        if cell.tier == "primary"
    ]
    assert [cell.blocked for cell in cells] == [None, 24]
    assert cells[0].queries == 16, "8 a minute after the first poll, from 30 sources"


async def test_days_keep_categories_without_the_sensitive_ones(scene: Scene) -> None:
    await scene.minute(12)
    await scene.minute(12)
    scene.now += timedelta(days=1)
    await scene.minute(1)
    kept = await scene.store.categories("2026-11-23")
    assert [(c.category, c.blocked) for c in kept] == [("games", 25)]
    assert len(await scene.store.cells(DAY, scene.now - timedelta(days=3))) == 5


async def test_one_client_that_makes_most_of_a_number_hides_it(scene: Scene) -> None:
    await scene.minute(12)
    await scene.minute(1, uses=500)
    scene.now += timedelta(days=1)
    await scene.minute(1)
    assert [c.blocked for c in await scene.store.categories("2026-11-23")] == [None]
