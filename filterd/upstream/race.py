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
from filterd.upstream.question import UpstreamQuestion, UpstreamReply
from filterd.upstream.scan import clip
from filterd.upstream.upstream import Upstream
from filterd.wire import constants as iana

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
    """Runs in callbacks; `future` gets the reply or an UpstreamError."""

    __slots__ = (
        "_deadline",
        "_fallback",
        "_loop",
        "_next",
        "_on_change",
        "_plan",
        "_question",
        "_reason",
        "_running",
        "_sent",
        "_timer",
        "future",
    )

    def __init__(
        self,
        plan: Plan,
        question: UpstreamQuestion,
        deadline: float,
        on_change: Callable[[Upstream], None],
    ) -> None:
        self._plan, self._question, self._deadline = plan, question, deadline
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[UpstreamReply] = self._loop.create_future()
        self._running: list[Runner] = []
        self._next = self._sent = 0
        self._timer: asyncio.TimerHandle | None = None
        self._fallback: UpstreamReply | None = None
        self._reason = UpstreamError("no upstream answered in time")

    def start(self) -> None:
        """Ask the first upstream, or the first two."""
        for _ in range(self._plan.at_once):
            self._ask_next(fresh_only=False)
        if not self.future.done():
            self._settle()

    def cancel(self) -> None:
        """Nobody waits any more: close everything."""
        if self._timer is not None:
            self._timer.cancel()
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
        if not self.future.done():
            self._settle(ask=True)

    def _weigh(self, runner: Runner, arrival: Arrival) -> None:
        upstream, rcode = runner.upstream, arrival.facts.rcode
        if rcode == iana.REFUSED:
            upstream.health.refusals += 1
            self._failed(upstream, UpstreamError(f"{upstream.name} refused the query"))
            return
        was_held = upstream.health.hold_seconds
        upstream.health.replied(self._loop.time() - runner.begun)
        if was_held:
            self._on_change(upstream)
        wire = arrival.wire if upstream.zone is None else clip(arrival.wire, upstream.zone)
        reply = UpstreamReply(wire, upstream.name, arrival.transport, upstream.zone)
        if rcode in _TRY_NEXT and arrival.facts.ede not in DNSSEC_FINAL:
            self._fallback = self._fallback or reply
            return
        self._finish(reply)

    def _failed(self, upstream: Upstream, error: UpstreamError) -> None:
        self._reason = error
        if error.ede == iana.EDE_OTHER:
            return
        certain = error.ede == iana.EDE_NETWORK
        if upstream.health.failed(self._loop.time(), certain=certain):
            self._on_change(upstream)

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
            runner = Runner(self, upstream, self._loop.time())
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
        if self._timer is not None:
            self._timer.cancel()
        when = self._deadline
        if self._in_flight() < MAX_SENT:
            runner = self._running[-1]
            least, most = self._plan.least, self._plan.most
            if self._next >= len(self._plan.order):
                least = most = RETRY_SECONDS
            when = min(when, runner.begun + runner.upstream.health.patience(least, most))
        self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        if self._loop.time() >= self._deadline - 0.001:
            self._time_out()
            return
        self._ask_next(fresh_only=False)
        self._settle()

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
        self.cancel()
        if not self.future.done():
            self.future.set_exception(self._reason)

    def _finish(self, reply: UpstreamReply) -> None:
        now = self._loop.time()
        for runner in self._running:
            if runner.upstream.health.outrun(now, now - runner.begun):
                self._on_change(runner.upstream)
        self.cancel()
        if not self.future.done():
            self.future.set_result(reply)
