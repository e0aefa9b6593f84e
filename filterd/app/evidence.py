"""The evidence put together: the running school as `evidence.ports.School`, recorder and door."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from filterd import tasks
from filterd.app import firewall_report
from filterd.app.evidence_facts import FactFinder, hexadecimal
from filterd.app.evidence_seen import DayCells
from filterd.app.seen import SeenLately
from filterd.control.owner import Owner
from filterd.control.portal import Places
from filterd.control.protocol import Caller, Route, Routes
from filterd.control.timed import paused_until
from filterd.errors import FilterdError
from filterd.evidence.door import Door, office_of
from filterd.evidence.office_link import OfficeLink
from filterd.evidence.ports import Gathered, Running
from filterd.evidence.readings import readings
from filterd.evidence.recorder import Recorder
from filterd.live import LivePolicy
from filterd.metrics.reading import Reading
from filterd.storage.evidence import EvidenceStore

Run = Callable[[Caller, Any], Awaitable[Any]]
_MINUTE = 60.0
_TURNS = ("pause.start", "pause.stop", "approvals.decide")
"""Methods that may begin or end a pause."""
_LOOK_S = 1.0
_OBSERVE_S = 3.0
"""A pause does not wait longer for the meter: a filter that does not answer is found out anyway."""


class LiveSchool:
    """Implements `evidence.ports.School` over the running service."""

    link: OfficeLink | None = None

    def __init__(self, owner: Owner, live: LivePolicy, seen: SeenLately) -> None:
        self._owner, self._live = owner, live
        self.cells = DayCells(seen, self._today)
        self._finder = FactFinder(owner, live, self.cells)

    def running(self) -> Running | None:
        if not self._live.loaded:
            return None
        running, ground = self._live.running, self._live.ground
        return Running(
            running.policy, ground.taxonomy, running.revision, running.hash,
            hexadecimal(ground.index.version), _tier_hashes(running.files),
        )  # fmt: skip

    def now(self) -> datetime:
        return self._owner.clock()

    def clock_trusted(self) -> bool:
        return self._live.at_trusted

    async def online(self) -> bool | None:
        """Up when any worker's upstream is up; None when no worker told."""
        states = [
            each["state"] == "up" and (each["replies"] > 0 or each["failures"] == 0)
            for answer in await self._owner.workers.tell({"do": "upstreams"}, 2.0)
            for each in answer.get("upstreams", ())
        ]
        return any(states) if states else None

    def paused(self) -> bool:
        return paused_until(self._live.running.policy, self.now()) is not None

    def closed_when_down(self) -> bool:
        return firewall_report.closed(self._owner.settings)

    async def gather(self, day: date) -> Gathered:
        self.cells.take()
        found = await self._finder.gather(day)
        return {**found, "bundle": self.link.version if self.link is not None else None}

    def _today(self) -> date:
        return self.now().astimezone(ZoneInfo(self._live.running.policy.time_zone)).date()


class Evidence:
    """Recorder and door of this service; `start` after the control socket's stores are open."""

    def __init__(self, owner: Owner, live: LivePolicy, seen: SeenLately) -> None:
        self._owner, self._live = owner, live
        values = owner.stores.values
        store = EvidenceStore(owner.stores.database)
        self._school = LiveSchool(owner, live, seen)
        seen.own = lambda: [lane.source for lane in self.recorder.examiner.lanes().values()]
        self.recorder = Recorder(owner.settings, store, self._school, lambda: office_of(values))
        self.door = Door(self.recorder, store, values, Places(live).tier_of)
        self._rounds: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        await self.recorder.start()
        self._rounds = [
            tasks.spawn(self._take(), "evidence-cells"),
            tasks.spawn(self._pauses(), "evidence-pauses"),
        ]

    async def stop(self) -> None:
        for each in self._rounds:
            each.cancel()
        await self.recorder.stop()

    def bundle_of(self, link: OfficeLink) -> None:
        """Let the summaries and the status name the office's bundle that is in use."""
        self._school.link = link
        self.door.bundle = link.told
        self.recorder.methods.follow(link.versions)

    def observed(self, routes: Routes) -> dict[str, Route]:
        """The same methods; right before and after a pause begins or ends the meter is read, so
        that its minutes are neither the filter's nor lost."""
        return {
            name: replace(route, run=self._between(route.run)) if name in _TURNS else route
            for name, route in routes.items()
        }

    def _between(self, run: Run) -> Run:
        async def observed(caller: Caller, request: Any) -> Any:
            await self._observe()
            try:
                return await run(caller, request)
            finally:
                await self._observe()

        return observed

    async def _observe(self) -> None:
        with contextlib.suppress(FilterdError, OSError, TimeoutError):
            await asyncio.wait_for(self.recorder.observe(), _OBSERVE_S)

    async def _pauses(self) -> None:
        """A pause ends by itself: seen within a second."""
        before = False
        while True:
            now = self._live.loaded and self._school.paused()
            if now != before:
                before = now
                await self._observe()
            await asyncio.sleep(_LOOK_S)

    def readings(self) -> Iterable[Reading]:
        """For the metrics endpoint."""
        return readings(self.recorder.snapshot(), self._owner.clock())

    async def _take(self) -> None:
        while True:
            self._school.cells.take()
            await asyncio.sleep(_MINUTE)


def _tier_hashes(files: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removesuffix(".yaml"): hashlib.sha256(text.encode()).hexdigest()
        for name, text in files.items()
        if name != "school.yaml"
    }
