"""The supervisor's own rounds: trust in the clock, traffic of each minute, backups."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from filterd import tasks
from filterd.app import clock
from filterd.app.list_facts import ListFacts
from filterd.app.seen import SeenLately
from filterd.app.traffic import TrafficHistory
from filterd.control.owner import Owner
from filterd.live import LivePolicy
from filterd.policy.model import CategoryId
from filterd.storage.rescue import make_backup
from filterd.storage.traffic import Traffic

_log = logging.getLogger("filterd.watch")
_CLOCK_SECONDS = 5.0
_FIRST_BACKUP_SECONDS = 60.0
_BACKUP_SECONDS = 6 * 3600.0
_SEEN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Regular:
    """What is asked each minute."""

    seen: SeenLately
    lists: ListFacts


class Watch:
    """Runs the rounds from `start` to `stop`."""

    def __init__(self, owner: Owner, live: LivePolicy, regular: Regular) -> None:
        self._owner = owner
        self._live = live
        path = owner.settings.state_dir / "run" / "counters"
        self._history = TrafficHistory(Traffic(owner.stores.database), path, regular.seen)
        self._lists = regular.lists
        self._rounds: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        """Begin."""
        await self._clock()
        self._rounds.append(tasks.spawn(_every(_CLOCK_SECONDS, self._clock), "clock"))
        self._rounds.append(tasks.spawn(self._backups(), "backup"))
        self._rounds.append(tasks.spawn(_every(_SEEN_SECONDS, self._traffic), "traffic"))

    async def stop(self) -> None:
        """End every round."""
        for each in self._rounds:
            each.cancel()
        await asyncio.gather(*self._rounds, return_exceptions=True)

    async def _clock(self) -> None:
        """Trust the clock unless it cannot be right or is not set yet (`clock`)."""
        now = self._owner.clock()
        latest = await self._owner.stores.values.get("clock")
        known = datetime.fromisoformat(latest) if latest else None
        trusted = clock.plausible(now, known)
        # once set it stays set: NTP out of reach for a day makes no clock wrong by hours
        if trusted and not self._live.at_trusted:
            trusted = not await asyncio.to_thread(clock.awaited)
        if trusted != self._live.at_trusted:
            _log.warning("the clock is %strusted: %s", "" if trusted else "not ", now)
            self._live.at_trusted = trusted
            await self._live.again()
        if trusted and (known is None or now - known > timedelta(hours=1)):
            await self._owner.stores.values.set("clock", now.isoformat())

    async def _traffic(self) -> None:
        await self._lists.refresh()
        categories = self._live.ground.taxonomy.categories
        zone = ZoneInfo(self._live.running.policy.time_zone)
        await self._history.poll(
            self._owner.clock().astimezone(zone), self._live.tiers,
            lambda name: name not in categories or categories[CategoryId(name)].sensitive,
        )  # fmt: skip

    async def _backups(self) -> None:
        await asyncio.sleep(_FIRST_BACKUP_SECONDS)
        await _at_once(self._backup)
        await _every(_BACKUP_SECONDS, self._backup)

    async def _backup(self) -> None:
        await make_backup(
            self._owner.stores.database, self._owner.settings.state_dir / "backups",
            self._owner.clock(),
        )  # fmt: skip


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work again and again, the first time after `seconds`."""
    while True:
        await asyncio.sleep(seconds)
        await _at_once(work)


async def _at_once(work: Callable[[], Awaitable[None]]) -> None:
    """Do the work; a failed round is logged and the next one comes."""
    try:
        await work()
    except Exception as error:
        _log.error("a round failed: %s", error)
