"""What the workers saw lately, put together: RAM only, under a key that is destroyed each day.

Names come with a 64-bit sketch of distinct clients, refusals with a client mark that means nothing
after the day's key is gone. Nothing of it is written anywhere.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from filterd.clients.segments import packed
from filterd.control.blast import SeenName, SeenNames
from filterd.control.owner import Workers
from filterd.metrics.seen import mark_of

MAX_NAMES = 20_000
SLOT = timedelta(minutes=15)
_BITS = 64
_MAPPED = bytes(10) + b"\xff\xff"
"""RFC 4291 §2.5.5.2: workers know every client by 16 octets."""
_LAST_SLOT = 95


@dataclass(slots=True)
class Day:
    """One day's aggregates: names → [uses, sketch]; (slot, tier, category) → client mark → uses."""

    date: date
    since: datetime
    key: str
    names: dict[str, list[int]] = field(default_factory=dict)
    refusals: dict[tuple[int, str, str], Counter[str]] = field(default_factory=dict)


class SeenLately:
    """Collects the workers' aggregates. `zone` gives the school's time zone."""

    def __init__(
        self, workers: Workers, clock: Callable[[], datetime], zone: Callable[[], str]
    ) -> None:
        self._workers = workers
        self._clock = clock
        self._zone = zone
        self._today = self._new_day(clock())
        self._ended: Day | None = None
        self._yesterday: dict[str, int] = {}
        self._places: Counter[tuple[str, str | None, bool]] = Counter()
        self._one = asyncio.Lock()
        self.own: Callable[[], Iterable[str]] = tuple
        """Addresses that the self-test asks from: this box is no client and is not counted."""

    async def poll(self) -> None:
        """Take what the workers gathered; at midnight forget the day's key and its marks."""
        async with self._one:
            now, before = self._clock(), self._today
            local = self._local(now)
            slot = (local.hour * 60 + local.minute) // 15
            if local.date() != before.date:
                self._today, self._ended, slot = self._new_day(now), before, _LAST_SLOT
            answers = await self._workers.tell({"do": "seen", "key": self._today.key})
            self._take(before, answers, slot)
            if before is not self._today:
                self._yesterday = {name: clients(m) for name, (_, m) in before.names.items()}

    def _take(self, day: Day, answers: list[dict[str, Any]], slot: int) -> None:
        places: Counter[tuple[str, str | None, bool]] = Counter()
        own = {_mark(address, day.key) for address in self.own()}
        for answer in answers:
            for name, uses, sketch in answer.get("names", ()):
                found = day.names.setdefault(name, [0, 0])
                found[0] += uses
                found[1] |= sketch
            for tier, category, mark, uses in answer.get("refusals", ()):
                if mark not in own:
                    day.refusals.setdefault((slot, tier, category), Counter())[mark] += uses
            for tier, segment, known, sources in answer.get("places", ()):
                key = (tier, segment, known)
                places[key] = max(places[key], sources)  # workers share the clients
        self._places = places
        if len(day.names) > 2 * MAX_NAMES:
            ranked = sorted(day.names.items(), key=lambda item: -item[1][0])
            day.names = dict(ranked[:MAX_NAMES])

    async def names(self) -> SeenNames:
        """Names of today and yesterday with their estimated distinct clients."""
        await self.poll()
        found = dict(self._yesterday)
        for name, (_, sketch) in self._today.names.items():
            found[name] = max(found.get(name, 0), clients(sketch))
        ranked = sorted(found.items(), key=lambda item: -item[1])
        since = self._today.since - timedelta(days=1) if self._yesterday else self._today.since
        return SeenNames(since, tuple(SeenName(name, count) for name, count in ranked))

    def refusals(self, day: date) -> Mapping[tuple[int, str, str], Counter[str]]:
        """A day's refusals by quarter hour, tier, category and client mark: today's, or those of
        the day that ended last, until `forget_ended`."""
        for each in (self._today, self._ended):
            if each is not None and each.date == day:
                return each.refusals
        return {}

    def forget_ended(self) -> None:
        """The day that ended is counted: its marks go."""
        self._ended = None

    def places(self) -> Mapping[tuple[str, str | None, bool], int]:
        """How many sources are placed in each tier and segment now."""
        return self._places

    def _new_day(self, now: datetime) -> Day:
        return Day(self._local(now).date(), now, secrets.token_hex(16))

    def _local(self, now: datetime) -> datetime:
        return now.astimezone(ZoneInfo(self._zone()))


def _mark(address: str, key: str) -> str:
    octets = packed(address)
    mapped = octets if len(octets) == 16 else _MAPPED + octets
    return mark_of(mapped, bytes.fromhex(key)).hex()


def clients(sketch: int) -> int:
    """Distinct clients of a sketch by linear counting (Whang et al. 1990): -m ln(zeros / m)."""
    zeros = _BITS - sketch.bit_count()
    return round(_BITS * math.log(_BITS / max(zeros, 1)))
