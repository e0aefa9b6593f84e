"""The exposure meter: asks the filter for a locked canary on every tier's path, every ten seconds.

Owns the account of `exposure` and its stored copy. Knows no policy beyond the paths it is given.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from filterd.evidence.exposure import Account, DayTime, Spent, Tick, advance
from filterd.evidence.ports import School
from filterd.evidence.selftest import client
from filterd.evidence.selftest.checks import ZONE, Check, Kind, Want
from filterd.evidence.selftest.paths import Lane
from filterd.evidence.selftest.run import Retry, run
from filterd.evidence.service_hours import ServiceHours
from filterd.storage.evidence import EvidenceStore, ExposureDay

SAVE_EVERY_S = 60.0
REMEMBERED_DAYS = 40
CANARIES = (f"malware.{ZONE}", f"csam.{ZONE}")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
Lanes = Callable[[], Mapping[str, Lane]]
Hours = Callable[[], ServiceHours]


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine's own clocks; replaced in tests."""

    boot: Callable[[], str] = lambda: BOOT_ID.read_text("ascii").strip()
    uptime: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)


class Meter:
    """Keeps the account of exposure. `tick` never raises for a filter that is down."""

    def __init__(
        self,
        store: EvidenceStore,
        school: School,
        lanes: Lanes,
        hours: Hours,
        machine: Machine | None = None,
    ) -> None:
        self._store, self._school, self._lanes, self._hours = store, school, lanes, hours
        self._machine = machine or Machine()
        self._stored: Mapping[date, DayTime] = {}
        self._saved_at = 0.0
        self.account = Account()

    async def load(self) -> None:
        """Go on from what was stored before a restart or a power cut."""
        total, tick = await self._store.exposure()
        today = self._school.now().date()
        first = today - timedelta(days=REMEMBERED_DAYS)
        rows = await self._store.exposure_days(
            first.isoformat(), (today + timedelta(days=REMEMBERED_DAYS)).isoformat()
        )
        days = {
            date.fromisoformat(row.day): DayTime(Spent(*row.whole), Spent(*row.service), row.jumps)
            for row in rows
        }
        self._stored = days
        self.account = Account(Spent(*total), days, None if tick is None else _tick(tick))

    async def tick(self) -> Tick:
        """Observe once and count the time since the last observation."""
        enforcing, answered = await self._enforcing()
        online, closed = await self._school.online(), self._school.closed_when_down()
        # A pause leaves the floor in force, yet it is counted as exposure: on purpose, all of it.
        paused = self._school.paused()
        if not answered and closed:
            # No names and no way around: to the pupils the Internet is down.
            online = False
        now = Tick(
            boot=self._machine.boot(),
            uptime=self._machine.uptime(),
            wall=self._school.now() if self._school.clock_trusted() else None,
            internet=online,
            enforcing=False if paused else enforcing,
            paused=paused,
            closed=closed,
        )
        before = self.account.last
        self.account = advance(self.account, now, self._hours())
        turned = before is None or before.kind is not now.kind
        if turned or now.uptime - self._saved_at >= SAVE_EVERY_S or now.uptime < self._saved_at:
            await self.save()
        return now

    async def save(self) -> None:
        """Write the account down; what is lost by a power cut is at most `SAVE_EVERY_S`."""
        if self.account.last is None:
            return
        changed = [
            ExposureDay(day.isoformat(), _row(spent.whole), _row(spent.service), spent.jumps)
            for day, spent in self.account.days.items()
            if self._stored.get(day) != spent
        ]
        await self._store.save_exposure(_row(self.account.total), _text(self.account.last), changed)
        self._stored = self.account.days
        self._saved_at = self.account.last.uptime

    async def _enforcing(self) -> tuple[bool | None, bool]:
        """Whether every tier's locked canary is refused, and whether anybody answered at all."""
        lanes = self._lanes()
        checks = [
            Check(Kind.BLOCK, tier, name.partition(".")[0], name, "A", Want.BLOCKED)
            for tier, name in zip(sorted(lanes), CANARIES * len(lanes), strict=False)
        ]
        if not checks:
            return None, True
        results = await run(checks, lanes, {"udp": client.udp}, Retry(attempts=2, pause_s=0.2))
        answered = any(result.got not in ("no_answer", "refused") for result in results)
        return all(result.passed for result in results), answered


def _row(spent: Spent) -> tuple[int, int, int, int]:
    return spent.enforcing, spent.exposed, spent.offline, spent.paused


def _text(tick: Tick) -> str:
    return json.dumps(
        {
            "boot": tick.boot,
            "uptime": tick.uptime,
            "wall": tick.wall.isoformat() if tick.wall else None,
            "internet": tick.internet,
            "enforcing": tick.enforcing,
            "paused": tick.paused,
            "closed": tick.closed,
        }
    )


def _tick(text: str) -> Tick:
    raw = json.loads(text)
    wall = datetime.fromisoformat(raw["wall"]) if raw["wall"] else None
    return Tick(
        raw["boot"], raw["uptime"], wall, raw["internet"], raw["enforcing"], raw["paused"],
        raw["closed"],
    )  # fmt: skip
