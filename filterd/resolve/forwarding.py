"""Forwarding without Python, seen from Python: who may be forwarded, and the exchanges that turn
out not to be plain.

The native part sends and receives; here is the verdict, asked once for each name, and the way back
onto the one path (`resolve.handler`) for everything else. Without the native part nothing of this
runs and the same questions take that path from the start.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import NamedTuple

from filterd.metrics import layout
from filterd.policy.verdict import Allowed
from filterd.resolve.answers import recalled, recalled_negative
from filterd.resolve.backlog import Backlog
from filterd.resolve.cache import Cache, Cached
from filterd.resolve.forward_ports import AD, NEGATIVE, NXDOMAIN, Event, Forward, Readers, Upstreams
from filterd.resolve.handler import Handler
from filterd.resolve.inflight import EXCHANGE_SECONDS
from filterd.resolve.source import Limits
from filterd.resolve.via import Via
from filterd.upstream.handover import Handover, Heard, Lead, What
from filterd.upstream.question import Told, UpstreamQuestion
from filterd.wire import constants as c
from filterd.wire.records import name_end

ORDER_SECONDS = 0.25
"""So long the native part asks the same upstreams; a failure ends it at once."""
_ROWS_ALONE = -1
_SLICE_SECONDS = 0.002
_DROPPED_BUSY = layout.single_place("dropped_busy")
_FAILURES = frozenset({What.SILENT, What.LIED, What.REFUSED})


class Places(NamedTuple):
    """Where the native part counts, in the order of `places` in listen/native/forward.h."""

    forwarded: int = layout.query_place(0, layout.FORWARDED, layout.UDP)
    cached: int = layout.query_place(0, layout.CACHED, layout.UDP)
    stride: int = layout.query_place(1, 0, 0) - layout.query_place(0, 0, 0)
    noerror: int = layout.RCODES_AT
    durations: int = layout.DURATION_AT
    duration_sum: int = layout.single_place("duration_microseconds")
    misses: int = layout.single_place("cache_misses")
    joined: int = layout.single_place("inflight_joined")
    hits: int = layout.single_place("cache_hits")
    truncated: int = layout.single_place("truncated")


def places() -> tuple[int, ...]:
    """`Places`, then the bounds of the histogram of durations in microseconds."""
    return (*Places(), *(round(bound * 1e6) for bound in layout.BUCKETS))


class Forwarding:
    """The other half of the native part. `start` gives it that part."""

    def __init__(
        self,
        handler: Handler,
        cache: Cache,
        upstreams: Upstreams,
        plain: Callable[[bytes], bool],
        monotonic: Callable[[], float],
    ) -> None:
        """`plain` says whether a name's questions go to the upstreams for everything."""
        self._handler = handler
        self._cache = cache
        self._upstreams = upstreams
        self._plain = plain
        self._monotonic = monotonic
        self.forward: Forward | None = None
        self._readers: Readers | None = None
        self._listeners: list[Via] = []
        self._leads: dict[int, Lead] = {}
        self._adopted: dict[bytes, Heard] = {}
        self._backlog: Backlog[Event] = Backlog()
        self._scheduled = False
        self._crowd = Limits().crowd

    @property
    def weight(self) -> tuple[int, int]:
        """(answers, bytes) held by the native part."""
        return self.forward.weight if self.forward is not None else (0, 0)

    def start(self, forward: Forward, readers: Readers) -> None:
        """Let the native part work in the running loop."""
        self.forward = forward
        self._readers = readers
        self._cache.behind = self._recall
        self._cache.noted = self._handler.flights.noted = forward.note
        self._handler.placements.answers = forward
        self._handler.flights.elsewhere = self._yield
        readers.add(forward, self._readable)

    def close(self) -> None:
        """Send nothing more without Python."""
        if self.forward is not None and self._readers is not None:
            self._readers.remove(self.forward)
            self.forward.order([], 1 << 62)

    def watch(
        self,
        listed: Callable[[bytes], bool] | None,
        note: Callable[[tuple[bytes, ...], int], None] | None,
    ) -> None:
        """`listed`: whether an address list has an address; `note` is told of all that are answered
        with their TTL (`Flights.answered` is for those of the handler)."""
        if self.forward is None:
            return
        if note is None:
            self.forward.watch(listed, None)
            return

        def told(address: bytes, ttl: int) -> None:
            note((address,), ttl)

        self.forward.watch(listed, told)

    def enlist(self, via: Via) -> int:
        """The number of a listener, which comes back in rows."""
        self._listeners.append(via)
        return len(self._listeners) - 1

    def judge(self, rules: int, address: bytes, key: bytes) -> tuple[int, int] | None:
        """(tier, end of the rules in ms or 0) when `key` may be forwarded for a source under
        `rules` and nobody here has an answer; None: the handler's to decide."""
        source = self._handler.placements.find(address, None, self._monotonic())
        if source is None or source.rules.number != rules:
            return None
        verdict = source.rules.verdict(key, source.asker)
        if not isinstance(verdict, Allowed) or not verdict.shared:
            return None
        if self._cache.knows(key) or key in self._handler.flights:
            return None
        if not self._plain(key[:-4]):
            return None
        until = source.rules.until
        return source.rules.tier, 0 if until == math.inf else int(until * 1000)

    def refresh(self) -> None:
        """Say anew who is to be asked."""
        self.account()
        if self.forward is None:
            return
        leads = self._upstreams.leading()
        lanes = []
        for lead in leads:
            habits = lead.upstream.habits
            cookie = habits.client_cookie + habits.server_cookie
            patience = int(lead.patience * 1000)
            lanes.append((*lead.address, cookie, habits.keeps_case, patience))
        until = int((self._monotonic() + ORDER_SECONDS) * 1000)
        numbers = self.forward.order(lanes, until)
        if len(numbers) < len(leads):
            self.forward.order([], until)
        self._leads.update(zip(numbers, leads, strict=False))

    def account(self) -> None:
        """Tell the pool what became of the questions that were sent for it."""
        if self.forward is not None:
            for number, lead in self._leads.items():
                self._upstreams.account(lead, self.forward.seen(number))

    def _recall(self, key: bytes) -> tuple[Cached, int] | None:
        found = self.forward.answered(key) if self.forward is not None else None
        if found is None:
            return None
        records, ttl, born_ms, marks, uses = found
        if not marks & NEGATIVE:
            return recalled(key, records, ttl, born_ms / 1000, bool(marks & AD)), uses
        if not ttl:
            return None  # it was told and not kept
        rcode = c.NXDOMAIN if marks & NXDOMAIN else c.NOERROR
        return recalled_negative(key, rcode, records, (born_ms / 1000, ttl), bool(marks & AD)), uses

    def _yield(self, key: bytes) -> None:
        """Go on here with a question that somebody asks whom the native part does not answer."""
        event = self.forward.hand_over(key) if self.forward is not None else None
        if event is not None:
            self._take(event)

    def _readable(self) -> None:
        if self.forward is None:
            return
        events = self.forward.run()
        if any(event[0] in _FAILURES for event in events):
            self.forward.order([], 0)
        lost = self._backlog.add(
            [(event[-1][0][2] if event[-1] else b"", event) for event in events]
        )
        if lost:
            self._handler.counters.add(_DROPPED_BUSY, lost)
        if not self._scheduled:
            self._work()

    def _work(self) -> None:
        """Take events for a while, of each source in turn; then clients get theirs."""
        self._scheduled = False
        until = self._monotonic() + _SLICE_SECONDS
        while self._backlog:
            self._take(self._backlog.take())
            self._handler.between()
            if self._backlog and self._monotonic() > until:
                self._scheduled = True
                asyncio.get_running_loop().call_soon(self._work)
                return

    def _take(self, event: Event) -> None:
        what, key, lane, query, datagram, errno, begun, at_once, lied, _rows = event
        if what == _ROWS_ALONE:
            self._pass_on(event)
            return
        heard = self._adopted.get(key)
        if heard is None and lane in self._leads and self._may_adopt(key, datagram):
            taken = Handover(self._leads[lane].upstream, query, begun, at_once - 1, lied)
            heard = self._adopt(key, taken)
        self._pass_on(event)
        if heard is not None:
            heard(What(what), datagram, errno)

    def _may_adopt(self, key: bytes, datagram: bytes | None) -> bool:
        """In a crowd those who waited ask anew, by the handler's rule of who may; but an answer
        that is here already is used."""
        flights = self._handler.flights
        return key not in flights and (datagram is not None or len(flights) < self._crowd)

    def _adopt(self, key: bytes, taken: Handover) -> Heard:
        end = name_end(key, 0)
        qtype, qclass = key[end] << 8 | key[end + 1], key[end + 2] << 8 | key[end + 3]
        question = UpstreamQuestion(key[:end], qtype, qclass, True)

        def ask(done: Told) -> Heard:
            def ended(outcome: object) -> None:
                self._adopted.pop(key, None)
                done(outcome)  # type: ignore[arg-type]

            deadline = taken.begun + EXCHANGE_SECONDS
            return self._upstreams.adopt(question, taken, deadline, ended)

        heard = self._adopted[key] = self._handler.flights.adopt(key, taken.begun, ask)
        return heard

    def _pass_on(self, event: Event) -> None:
        """Let those who waited take all the steps, as at the time when they came."""
        for listener, query, source, token, arrived in event[-1]:
            via = self._listeners[listener]
            response = self._handler.try_answer(query, source, arrived, via, token)
            if response is not None:
                via.send(response, token)
