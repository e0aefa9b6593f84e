"""THE path of a query, from octets to octets: the steps and why they stand in this order.

`try_answer` never raises and never waits; what needs an upstream is answered later through the
listener's `send`. When anything breaks the answer is SERVFAIL, never an unfiltered one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from filterd.errors import WireError
from filterd.metrics import layout
from filterd.metrics.counters import Counters
from filterd.metrics.seen import Seen
from filterd.policy.verdict import Allowed, Blocked, Local, Rewritten, Step, Verdict
from filterd.resolve import synthesis
from filterd.resolve.allowance import Allowance
from filterd.resolve.answers import Clamp
from filterd.resolve.cache import Cache, Cached
from filterd.resolve.cookies import Cookies
from filterd.resolve.finding import Asked, Finder, Found, alias_questions, prefetch_at
from filterd.resolve.glances import Glances
from filterd.resolve.inflight import USABLE, Flights
from filterd.resolve.judge import addresses, leads_to
from filterd.resolve.memo import Memo
from filterd.resolve.nolookup import no_lookup, refused
from filterd.resolve.placement import Placements
from filterd.resolve.ports import Clock, Exchanger
from filterd.resolve.rules import Rules
from filterd.resolve.source import Limits
from filterd.resolve.telling import Teller, Told
from filterd.resolve.via import Via
from filterd.wire import constants as c
from filterd.wire import edns
from filterd.wire.query import Query, parse_query
from filterd.wire.records import EMPTY
from filterd.wire.response import Answer, aged, assemble, refuse

_log = logging.getLogger("filterd.resolve")
_STALE_TTL = 30
_LATE_SECONDS = 2.5
_LONG = 0x7FFFFFFF
# their refusals are alike for all names of which the lists say the same
_LISTED = frozenset({Step.FLOOR_EVERYONE, Step.FLOOR_PUPILS, Step.CATEGORY, Step.ALLOW_ONLY})
_MALFORMED = layout.single_place("dropped_malformed")
_LATE = layout.single_place("dropped_late")
_ERRORS = layout.single_place("errors")


@dataclass(frozen=True, slots=True)
class Equipment:
    """Everything the handler works with; `monotonic` is the clock that `now` is read from."""

    exchanger: Exchanger
    counters: Counters
    memo: Memo
    seen: Seen
    cache: Cache
    clock: Clock
    monotonic: Callable[[], float]
    allowed: Callable[[bytes], bool]
    cookie_secret: bytes
    clamp: Clamp = field(default_factory=Clamp)
    limits: Limits = field(default_factory=Limits)


class Handler:
    """Answers queries under the policy in force (`placements.swap`)."""

    def __init__(self, equipment: Equipment) -> None:
        self._counters = self.counters = equipment.counters
        self._monotonic = equipment.monotonic
        self.between = Glances(equipment.monotonic)
        self.placements = Placements(
            equipment.memo, equipment.seen, equipment.clock, equipment.allowed, equipment.limits,
            equipment.cache.used,
        )  # fmt: skip
        self.cookies = Cookies(equipment.cookie_secret)
        self.teller = Teller(equipment.counters, equipment.memo, equipment.seen, self.cookies)
        self._allowance = Allowance(equipment.limits, self.cookies, equipment.counters)
        self.flights: Flights[Asked] = Flights(
            equipment.exchanger,
            equipment.cache,
            equipment.clamp,
            equipment.monotonic,
            self._landed,
        )
        self._finder = Finder(equipment.cache, self.flights, equipment.counters, equipment.limits)

    async def finish(self, seconds: float) -> None:
        """Wait at most so long for what is being asked upstream."""
        await self.flights.finish(seconds)

    def try_answer(
        self, wire: bytes, address: bytes, now: float, via: Via, token: object = None
    ) -> bytes | None:
        """The response, or None: dropped, or sent later as `via.send(response, token)`.

        `address` is the peer's in 16 octets, IPv4 mapped.
        """
        try:
            query = parse_query(wire)
        except WireError as error:
            if error.rcode is None:
                self._counters.add(_MALFORMED)
                return None
            self._counters.add(layout.RCODES_AT + error.rcode)
            return refuse(wire, error.rcode)
        try:
            source = self.placements.find(address, via.device, now)
            if source is None:
                text = "no policy or no lists are loaded"
                return wire[:2] + _plainly(query, via, synthesis.failed(c.EDE_NOT_READY, text))
            if not via.stream and self._allowance.spent(query, source, now):
                return self._allowance.slip(wire, query, source)
            asked = Asked(query, source, via, token, wire[:2], now)
            return self._respond(asked, now, None)
        except Exception:
            return wire[:2] + self._broken(query, via)

    def _landed(self, asked: Asked, arrived: Cached) -> None:
        """What `asked` waited for is here: take all the steps again with it in hand."""
        asked.source.pending -= 1
        now = self._monotonic()
        late = now - asked.at > _LATE_SECONDS
        if not asked.via.stream and late:
            self._counters.add(_LATE)  # who asked so long ago has asked again since
            return
        try:
            if late:
                answer = synthesis.failed(c.EDE_NO_REACHABLE, "no answer in time")
                response: bytes | None = asked.ident + _plainly(asked.query, asked.via, answer)
            else:
                response = self._respond(asked, now, arrived)
        except Exception:
            response = asked.ident + self._broken(asked.query, asked.via)
        if response is None:
            return
        if not asked.via.stream:
            response = self._allowance.whole(asked.query, asked.source, response, now)
        asked.via.send(response, asked.token)

    def _respond(self, asked: Asked, now: float, arrived: Cached | None) -> bytes | None:
        told = self._decide(asked, now, arrived)
        if told is None:
            return None
        response = self.teller.tell(asked.query, asked.source, asked.via, told, now)
        self._counters.observe(self._monotonic() - asked.at)
        return asked.ident + response

    def _decide(self, asked: Asked, now: float, arrived: Cached | None) -> Told | None:
        """The steps. None: an upstream is being asked. `arrived` is what one just said."""
        query, source = asked.query, asked.source
        # who may not ask is told so before anything is looked at
        if not source.allowed:
            return refused(c.EDE_PROHIBITED, "this network is not served")
        # questions that are no look-ups are answered alike for every tier
        if (told := no_lookup(query)) is not None:
            return told
        # the verdict is not shared by all tiers as the cache is, and a blocked name costs no query
        verdict = source.rules.verdict(query.key, source.asker)
        if isinstance(verdict, Blocked):
            told = self._blocked(query, source.rules, verdict, now)
            return told._replace(alike=verdict.origin.step in _LISTED)
        if isinstance(verdict, Rewritten):
            return self._rewritten(asked, verdict, now, arrived)
        if query.qtype == c.ANY:
            return Told(synthesis.any_type(query), layout.LOCAL)
        found = self._finder.find(asked, query.key, now, arrived)
        if found is None:
            return None
        # targets and addresses get a verdict on every use: fresh, cached and stale
        onward, private = self._onward(asked, query.key, verdict, found, now)
        if onward is not None:
            return onward
        return self._answered(asked, verdict, found, private, now)

    def _blocked(
        self, query: Query, rules: Rules, verdict: Blocked, now: float, until: float = math.inf
    ) -> Told:
        ttl = max(0, int(min(verdict.ttl, rules.until - now)))
        running = self.placements.running
        portal = running.portal if running is not None else ()
        answer = synthesis.blocked(query, verdict, portal, ttl)
        # near the end of a period the TTL shrinks second by second, so nothing is repeated
        until = min(until, rules.until - ttl) if verdict.shared and ttl == verdict.ttl else 0.0
        return Told(answer, layout.BLOCKED, verdict.origin.category, until)

    def _rewritten(
        self, asked: Asked, verdict: Rewritten, now: float, arrived: Cached | None
    ) -> Told | None:
        query, rules = asked.query, asked.source.rules
        most = _most(rules, now)
        until = min(now + 60, rules.until - synthesis.ALIAS_MOST) if verdict.shared else 0.0
        outcome = layout.LOCAL if verdict.ede is None else layout.REWRITTEN
        if isinstance(verdict.answer, Local):
            answer = synthesis.local(query, verdict.answer, verdict.ede)
            return Told(_cut(answer, most), outcome, None, until)
        if query.qtype not in (c.A, c.AAAA):
            answer = synthesis.nodata(query, verdict.ede)
            return Told(_cut(answer, most), outcome, None, until)
        for key in alias_questions(verdict.answer, query, arrived):
            found = self._finder.find(asked, key, now, arrived)
            if found is None:
                return None
            told = self._aliased(asked, verdict, key, found, now)
            if found.answer.rcode != c.NXDOMAIN:
                break
        return told

    def _aliased(
        self, asked: Asked, verdict: Rewritten, key: bytes, found: Found, now: float
    ) -> Told:
        if found.answer.rcode not in USABLE:
            return _failed(found)
        query, rules = asked.query, asked.source.rules
        onward, private = self._onward(asked, key, verdict, found, now)
        if onward is not None:
            return onward
        if private:
            return Told(synthesis.nodata(query, verdict.ede), layout.REWRITTEN)
        body = aged(found.answer.plain, int(now - found.answer.born), _most(rules, now))
        answer = synthesis.aliased(query, key, body, verdict.ede)
        until = min(_repeatable(found.answer, now), rules.until) if verdict.shared else 0.0
        return Told(answer, layout.REWRITTEN, None, until, True)

    def _onward(
        self, asked: Asked, key: bytes, verdict: Verdict, found: Found, now: float
    ) -> tuple[Told | None, frozenset[bytes]]:
        """The refusal of where the answer to `key` leads, if it is refused; else the private
        addresses to take out of it."""
        rules, asker, answer = asked.source.rules, asked.source.asker, found.answer
        refusal = leads_to(rules, asker, key[-4:-2], verdict, answer) if answer.targets else None
        private: frozenset[bytes] = frozenset()
        if refusal is None:
            refusal, private = addresses(rules, asker, key, answer)
        if refusal is None:
            return None, private
        return self._blocked(asked.query, rules, refusal, now, answer.expires), private

    def _answered(
        self, asked: Asked, verdict: Allowed, found: Found, private: frozenset[bytes], now: float
    ) -> Told:
        query, rules, answer = asked.query, asked.source.rules, found.answer
        if answer.rcode not in USABLE:
            return _failed(found)
        secure = query.edns is not None and query.edns.do
        body = answer.secure if secure else answer.plain
        most = _most(rules, now)
        age, options, until = int(now - answer.born), answer.options, 0.0
        if found.outcome == layout.STALE:
            stale = c.EDE_STALE_NXDOMAIN if answer.rcode == c.NXDOMAIN else c.EDE_STALE
            age, most, options = 0, min(most, _STALE_TTL), options + edns.ede(stale)
        elif found.outcome == layout.CACHED and verdict.shared:
            until = _repeatable(answer, now)
        if private:
            without = synthesis.without_addresses(query.key, body, private)
            options += edns.ede(c.EDE_BLOCKED, "filterd: private address in a public answer")
            if without is None:
                return Told(synthesis.nodata(query, None, options), layout.BLOCKED)
            body = without
        body = aged(body, age, most) if age or most < _LONG else body
        told = Answer(answer.rcode, body, options, answer.ad and not private)
        return Told(told, found.outcome, None, min(until, rules.until), True)

    def _broken(self, query: Query, via: Via) -> bytes:
        self._counters.add(_ERRORS)
        errors = self._counters.values[_ERRORS]
        if errors & (errors - 1) == 0:  # the 1st, 2nd, 4th, 8th …: a flood must not fill the log
            _log.exception("answering broke (%d times so far)", errors)
        return _plainly(query, via, synthesis.failed(c.EDE_OTHER, "internal error"))


def _repeatable(answer: Cached, now: float) -> float:
    """Until when it may be repeated unseen: where a popular one would be asked for anew."""
    return prefetch_at(answer) if now < prefetch_at(answer) else answer.expires


def _failed(found: Found) -> Told:
    answer = found.answer
    told = Answer(answer.rcode, EMPTY, answer.options)
    return Told(told, layout.FAILED, None, answer.expires)


def _plainly(query: Query, via: Via, answer: Answer) -> bytes:
    """A response outside of every tier, without its id."""
    parts = assemble(query, answer, via.stream)
    return parts.head + query.question + parts.tail


def _most(rules: Rules, now: float) -> int:
    """The longest TTL that does not outlive the rules."""
    return _LONG if rules.until == math.inf else max(0, int(rules.until - now))


def _cut(answer: Answer, most: int) -> Answer:
    return answer._replace(body=aged(answer.body, 0, most)) if most < _LONG else answer
