"""One client question against the upstreams: who is asked when, and which reply counts.

At most MAX_SENT queries leave for one question, whatever happens (NXNSAttack, CAMP). A second
upstream is asked when the first is later than 19 in 20 of its replies, at once when it refuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from filterd.errors import UpstreamError
from filterd.upstream.attempt import Arrival, Attempt, Outcome
from filterd.upstream.handover import Handover
from filterd.upstream.question import Told, UpstreamQuestion, UpstreamReply
from filterd.upstream.scan import clip
from filterd.upstream.udp import Exchange, Udp
from filterd.upstream.upstream import Upstream
from filterd.upstream.wheel import Wheel
from filterd.wire import constants as iana
from filterd.wire.records import parse_reply

MAX_SENT = 3
RETRY_SECONDS = 0.5
"""The least time before the same upstream is asked again for the same question."""
DNSSEC_FINAL = frozenset({6, 7, 8, 9, 10, 11, 12})
"""EDE codes with which a validator says that the answer is false (RFC 8914 §4.7 – §4.13).

Asking the next upstream then could get the forged answer from one that does not validate.
"""
_TRY_NEXT = frozenset({iana.SERVFAIL, iana.NOTIMP, iana.FORMERR, iana.REFUSED})


class Plan(NamedTuple):
    """How the race is run: upstreams in the order of trust, how many at once, the hedge's floor."""

    order: tuple[Upstream, ...]
    at_once: int
    least: float
    most: float


class Track(NamedTuple):
    """What the races of a pool share: the loop's clock, their timers, who hears of changes."""

    loop: asyncio.AbstractEventLoop
    wheel: Wheel
    on_change: Callable[[Upstream], None]


class Runner:
    """One attempt in the race."""

    __slots__ = ("attempt", "begun", "race", "upstream")

    def __init__(self, race: Race, upstream: Upstream, begun: float) -> None:
        self.race, self.upstream, self.begun = race, upstream, begun
        self.attempt: Attempt | None = None

    def done(self, outcome: Outcome) -> None:
        """The transport's word."""
        self.race.arrived(self, outcome)


class Race:
    """Runs in callbacks; `done` hears the reply or an UpstreamError, once, after `start`."""

    __slots__ = (
        "_deadline",
        "_done",
        "_due",
        "_fallback",
        "_next",
        "_over",
        "_plan",
        "_question",
        "_reason",
        "_running",
        "_sent",
        "_starting",
        "_track",
    )

    def __init__(
        self, track: Track, plan: Plan, question: UpstreamQuestion, deadline: float, done: Told
    ) -> None:
        self._track, self._plan, self._question = track, plan, question
        self._deadline, self._done = deadline, done
        self._running: list[Runner] = []
        self._next = self._sent = 0
        self._due = deadline
        self._over = False
        self._starting = True
        self._fallback: UpstreamReply | None = None
        self._reason: UpstreamError | None = None

    def start(self) -> None:
        """Ask the first upstream, or the first two."""
        for _ in range(self._plan.at_once):
            self._ask_next(fresh_only=False)
        self._settle()
        self._starting = False

    def adopt(self, taken: Handover) -> Exchange:
        """Begin with an exchange that others have begun: the first of the plan is being asked."""
        upstream = taken.upstream
        if not isinstance(upstream.transport, Udp):
            raise UpstreamError("only an exchange over UDP can be handed over")
        runner = Runner(self, upstream, taken.begun)
        exchange = upstream.transport.adopt(self._question, taken.query, runner.done)
        exchange.lied_to = taken.lied
        runner.attempt = exchange
        self._running.append(runner)
        self._next, self._sent = 1, taken.others
        self._set_timer()
        self._starting = False
        return exchange

    def cancel(self) -> None:
        """Nobody waits any more: close everything."""
        self._over = True
        for runner in self._running:
            if runner.attempt is not None:
                runner.attempt.cancel()
        self._running.clear()

    def arrived(self, runner: Runner, outcome: Outcome) -> None:
        """An attempt came to its end."""
        if runner not in self._running:
            return
        self._running.remove(runner)
        self._sent += runner.attempt.sent if runner.attempt is not None else 1
        if isinstance(outcome, Arrival):
            self._weigh(runner, outcome)
        else:
            self._failed(runner.upstream, outcome)
        if not self._over:
            self._settle(ask=True)

    def due(self, now: float) -> None:
        """A timer of the wheel: ask another one, or give up."""
        if self._over or now < self._due:
            return
        if now >= self._deadline - 0.001:
            self._time_out()
            return
        self._ask_next(fresh_only=False)
        self._settle()

    def _weigh(self, runner: Runner, arrival: Arrival) -> None:
        upstream, facts = runner.upstream, arrival.facts
        if facts.rcode == iana.REFUSED:
            upstream.health.refusals += 1
            self._failed(upstream, UpstreamError(f"{upstream.name} refused the query"))
            return
        was_held = upstream.health.hold_seconds
        upstream.health.replied(self._track.loop.time() - runner.begun)
        if was_held:
            self._track.on_change(upstream)
        wire, message = arrival.wire, facts.message
        if upstream.zone is not None:
            wire = clip(wire, upstream.zone)
            message = parse_reply(wire)
        reply = UpstreamReply(wire, upstream.name, arrival.transport, upstream.zone, message)
        if facts.rcode in _TRY_NEXT and facts.ede not in DNSSEC_FINAL:
            self._fallback = self._fallback or reply
            return
        self._finish(reply)

    def _failed(self, upstream: Upstream, error: UpstreamError) -> None:
        self._reason = error
        if error.ede == iana.EDE_OTHER:
            return
        certain = error.ede == iana.EDE_NETWORK
        if upstream.health.failed(self._track.loop.time(), certain=certain):
            self._track.on_change(upstream)

    def _settle(self, *, ask: bool = False) -> None:
        """After every turn: ask another at once (`ask`), wait for those running, or give up."""
        if ask and not self._running:
            self._ask_next(fresh_only=True)
        if self._running:
            self._set_timer()
        else:
            self._give_up()

    def _ask_next(self, *, fresh_only: bool) -> None:
        """Send to the next upstream in the order that can be sent to."""
        order = self._plan.order
        while self._in_flight() < MAX_SENT and (self._next < len(order) or not fresh_only):
            upstream = order[self._next % len(order)]
            self._next += 1
            runner = Runner(self, upstream, self._track.loop.time())
            upstream.health.queries += 1
            try:
                runner.attempt = upstream.transport.start(self._question, runner.done)
            except UpstreamError as error:
                self._sent += 1
                self._failed(upstream, error)
                continue
            self._running.append(runner)
            return

    def _in_flight(self) -> int:
        sent = self._sent
        for runner in self._running:
            if runner.attempt is not None:
                sent += runner.attempt.sent
        return sent

    def _set_timer(self) -> None:
        when = self._deadline
        if self._in_flight() < MAX_SENT:
            runner, plan = self._running[-1], self._plan
            least, most = plan.least, plan.most
            if self._next >= len(plan.order):
                least = most = RETRY_SECONDS
            when = min(when, runner.begun + runner.upstream.health.patience(least, most))
        self._due = when
        self._track.wheel.add(when, self)

    def _time_out(self) -> None:
        lied = any(runner.attempt and runner.attempt.lied_to for runner in self._running)
        for runner in self._running:
            self._failed(runner.upstream, UpstreamError(f"{runner.upstream.name} is silent"))
        if lied:
            self._reason = UpstreamError("only unusable replies came", iana.EDE_INVALID)
        self._give_up()

    def _give_up(self) -> None:
        if self._fallback is not None:
            self._finish(self._fallback)
            return
        self._tell(self._reason or UpstreamError("no upstream answered in time"))

    def _finish(self, reply: UpstreamReply) -> None:
        if self._running:
            now = self._track.loop.time()
            for runner in self._running:
                if runner.upstream.health.outrun(now, now - runner.begun):
                    self._track.on_change(runner.upstream)
        self._tell(reply)

    def _tell(self, outcome: UpstreamReply | UpstreamError) -> None:
        if self._over:
            return
        self.cancel()
        if self._starting:
            self._track.loop.call_soon(self._done, outcome)
        else:
            self._done(outcome)
