"""Where the answer to a question is: in the cache, among failures, stale, or asked for now.

Knows the order of these and what a client's CD bit changes. Judges nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from filterd.metrics import layout
from filterd.metrics.counters import Counters
from filterd.policy.verdict import Alias
from filterd.resolve.answers import failure
from filterd.resolve.cache import Cache, Cached
from filterd.resolve.inflight import USABLE, Flights
from filterd.resolve.source import Limits, Source
from filterd.resolve.via import Via
from filterd.wire import constants as c
from filterd.wire import edns
from filterd.wire.names import to_wire
from filterd.wire.query import Query

_PREFETCH_HITS = 2
_PREFETCH_SHARE = 0.9
_WITH_CD = b"\1"
_MISSES = layout.single_place("cache_misses")
_STALE = layout.single_place("cache_stale")
_PREFETCHES = layout.single_place("cache_prefetches")
_JOINED = layout.single_place("inflight_joined")


class Asked(NamedTuple):
    """One query under way: what, who, how, its id, and when it came (monotonic)."""

    query: Query
    source: Source
    via: Via
    token: object
    ident: bytes
    at: float


class Found(NamedTuple):
    """An answer in hand and the outcome it counts as."""

    answer: Cached
    outcome: int


class Finder:
    """Looks for answers; starts exchanges for those nobody has."""

    def __init__(
        self, cache: Cache, flights: Flights[Asked], counters: Counters, limits: Limits
    ) -> None:
        self._cache = cache
        self._flights = flights
        self._values = counters.values
        self._limits = limits

    def find(self, asked: Asked, key: bytes, now: float, arrived: Cached | None) -> Found | None:
        """The answer to `key`; None: an upstream is being asked, `asked` waits for it.

        `arrived` is what just came for `asked`, it may be the answer to another key of it.
        """
        landed = arrived if arrived is not None and arrived.key == key else None
        if landed is not None and landed.rcode in USABLE:
            return Found(landed, layout.FORWARDED)
        held = self._cache.get(key, now)
        if held is not None and now < held.cached.expires:
            if held.hits > _PREFETCH_HITS and now >= prefetch_at(held.cached):
                self._values[_PREFETCHES] += self._flights.refresh(key)
            return Found(held.cached, layout.CACHED)
        failed = landed or self._cache.failure(key, now)
        if failed is None:
            return self._wait(asked, key, held is not None)
        if asked.query.flags & c.CD and failed.rcode == c.SERVFAIL:
            # the client wants even what did not validate (RFC 4035 §3.2.2)
            return self._unchecked(asked, key + _WITH_CD, now, arrived)
        if held is not None:
            self._values[_STALE] += 1
            return Found(held.cached, layout.STALE)
        return Found(failed, layout.FAILED)

    def _unchecked(
        self, asked: Asked, key: bytes, now: float, arrived: Cached | None
    ) -> Found | None:
        if arrived is not None and arrived.key == key:
            usable = arrived.rcode in USABLE
            return Found(arrived, layout.FORWARDED if usable else layout.FAILED)
        held = self._cache.get(key, now)
        if held is not None and now < held.cached.expires:
            return Found(held.cached, layout.CACHED)
        if (failed := self._cache.failure(key, now)) is not None:
            return Found(failed, layout.FAILED)
        return self._wait(asked, key, False)

    def _wait(self, asked: Asked, key: bytes, stale: bool) -> Found | None:
        source = asked.source
        if not self._has_room(source, key):
            options = edns.ede(c.EDE_OTHER, "too many questions are waiting")
            return Found(failure(key, c.REFUSED, asked.at, options), layout.FAILED)
        self._values[_MISSES] += 1
        source.pending += 1
        self._values[_JOINED] += self._flights.join(key, asked, stale)
        return None

    def _has_room(self, source: Source, key: bytes) -> bool:
        limits, under_way = self._limits, len(self._flights)
        if source.pending >= source.most_pending or under_way >= limits.in_flight:
            return False
        if under_way < limits.crowd or source.own or key in self._flights:
            return True
        return source.pending < limits.share


def prefetch_at(cached: Cached) -> float:
    """When a popular answer is asked for anew: in the last tenth of its life."""
    return cached.born + cached.lifetime * _PREFETCH_SHARE


def alias_questions(alias: Alias, query: Query, arrived: Cached | None) -> list[bytes]:
    """The questions that an alias may be answered with, from the one whose answer just came on:
    those before it did not exist, and their answer may not have been one to keep."""
    keys = [to_wire(target) + query.key[-4:] for target in (alias.target, *alias.others)]
    if arrived is not None and arrived.key in keys:
        return keys[keys.index(arrived.key) :]
    return keys
