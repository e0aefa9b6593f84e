"""Turns a decision into octets, counts it once, and leaves it in the memo if it may be repeated.

The last step of every query. Knows counters, cookies and sizes; decides nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from filterd.metrics import layout
from filterd.metrics.counters import Counters
from filterd.metrics.seen import Seen
from filterd.resolve.cookies import Cookies
from filterd.resolve.memo import MAX_TTLS, NO_TALLY, TRANSPORT_SHIFT, Memo, variant
from filterd.resolve.source import Source
from filterd.resolve.tail import Tail
from filterd.resolve.via import Via
from filterd.wire import constants as c
from filterd.wire import edns, padding
from filterd.wire.query import Query
from filterd.wire.response import Answer, Parts, assemble

_MEMO_BUCKET = layout.DURATION_AT + layout.BUCKETS.index(0.00025)
"""A repeated answer waits at most for the 63 before it in one drain: 64 × 3.9 µs."""
_LONGEST = 3600.0
_CACHE_HITS = layout.single_place("cache_hits")
_TRUNCATED = layout.single_place("truncated")


class Told(NamedTuple):
    """An answer and what it means: its outcome, the category of a refusal.

    `until` (monotonic) is how long it may be repeated to others under the same rules, 0: never;
    `running`: its TTLs run down meanwhile. `alike`: by the lists alone, so that a name of which
    they say the same is answered likewise.
    """

    answer: Answer
    outcome: int
    category: str | None = None
    until: float = 0.0
    running: bool = False
    alike: bool = False


class Teller:
    """Makes responses. `tail` is the debug view while someone looks."""

    __slots__ = ("_cookies", "_counters", "_memo", "_seen", "tail")

    def __init__(self, counters: Counters, memo: Memo, seen: Seen, cookies: Cookies) -> None:
        self._counters = counters
        self._memo = memo
        self._seen = seen
        self.tail: Tail | None = None
        self._cookies = cookies

    def tell(self, query: Query, source: Source, via: Via, told: Told, now: float) -> bytes:
        """The response without its id, which the caller puts in front."""
        options = self._options(query, source, via)
        answer = told.answer._replace(options=told.answer.options + options)
        parts = assemble(query, answer, via.stream)
        self._count(query, source, via, told)
        if self.tail is not None:
            self.tail.add(query, source, told.outcome, told.category)
        if parts.head[0] & c.TC >> 8:
            self._counters.values[_TRUNCATED] += 1
        elif told.until > now and via.device is None:
            bits = variant(query, via.transport)
            if bits is not None:
                self._remember((bits, query.key), source, told, parts, now)
        response = parts.head + query.question + parts.tail
        if via.pad and query.edns is not None and query.edns.padding:
            return padding.fill(b"\0\0" + response, via.pad)[2:]
        return response

    def _options(self, query: Query, source: Source, via: Via) -> bytes:
        """Our side of what the client's options ask for; unknown ones are not echoed."""
        if query.edns is None or query.edns.bare:
            return b""
        out = self._cookies.option(source, query.edns.cookie)
        if via.keepalive is not None and query.edns.keepalive:
            out += edns.option(c.OPTION_KEEPALIVE, via.keepalive.to_bytes(2, "big"))
        return out

    def _count(self, query: Query, source: Source, via: Via, told: Told) -> None:
        self._seen.name(query.name_wire, 1, 1 << source.tag)
        values = self._counters.values
        tier = source.rules.tier
        values[layout.query_place(tier, told.outcome, via.transport)] += 1
        values[layout.RCODES_AT + min(told.answer.rcode, 31)] += 1
        if told.outcome == layout.BLOCKED:
            category = layout.category_index(told.category)
            values[layout.blocked_place(tier, category)] += 1
            self._seen.blocked(source.rules.tier_id, category, source.address, 1)
        elif told.outcome == layout.CACHED:
            values[_CACHE_HITS] += 1

    def _remember(
        self, named: tuple[int, bytes], source: Source, told: Told, parts: Parts, now: float
    ) -> None:
        """`named` is how the memo calls it: variant and question."""
        bits, key = named
        ttls = parts.ttls if told.running else ()
        if len(ttls) > MAX_TTLS:
            return
        start = 12 + len(key)
        rcode = min(told.answer.rcode, 31)
        place = layout.query_place(source.rules.tier, told.outcome, bits >> TRANSPORT_SHIFT)
        counts, tally = _repeated(place, source.rules.tier, told.outcome, rcode, told.category)
        self._memo.put(
            source.rules.number, bits, key, b"\0\0" + parts.head + key + parts.tail,
            tuple([start + at for at in ttls]) if ttls else (), counts,
            int(now * 1000), int(min(told.until, now + _LONGEST) * 1000), tally,
        )  # fmt: skip
        if told.alike:
            self._memo.spread(source.rules.number, bits, key)


@lru_cache(maxsize=4096)
def _repeated(
    place: int, tier: int, outcome: int, rcode: int, category: str | None
) -> tuple[tuple[int, ...], int]:
    """Places that each repetition of a response adds one to, and its category in the tally."""
    counts = [place, layout.RCODES_AT + rcode, _MEMO_BUCKET]
    tally = NO_TALLY
    if outcome == layout.BLOCKED:
        tally = layout.category_index(category)
        counts.append(layout.blocked_place(tier, tally))
    elif outcome == layout.CACHED:
        counts.append(_CACHE_HITS)
    return tuple(counts), tally
