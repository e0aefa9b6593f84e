"""Active probes: whether a held or suspect upstream answers again, without a client's question."""

from __future__ import annotations

import asyncio

from filterd.errors import UpstreamError
from filterd.upstream.attempt import Arrival, Attempt, Outcome
from filterd.upstream.question import UpstreamQuestion
from filterd.upstream.upstream import Upstream
from filterd.wire import constants as iana

PROBE_SECONDS = 1.5


class Prober:
    """Probes one upstream at the end of each hold-down until it answers."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._attempt: Attempt | None = None
        self._begun = 0.0

    def attend(self) -> None:
        """The upstream's health changed: probe when its hold ends, now if it is only suspect."""
        if self._attempt is not None:
            return
        self._cancel_timer()
        health = self._upstream.health
        if health.hold_seconds:
            self._timer = self._loop.call_at(health.held_until, self._probe)
        elif health.suspect:
            self._probe()

    def stop(self) -> None:
        """No more probes."""
        self._cancel_timer()
        if self._attempt is not None:
            self._attempt.cancel()
            self._attempt = None

    def _probe(self) -> None:
        self._begun = self._loop.time()
        zone = self._upstream.zone
        question = UpstreamQuestion(zone or b"\0", iana.SOA if zone else iana.NS)
        self._upstream.health.queries += 1
        try:
            self._attempt = self._upstream.transport.start(question, self._done)
        except UpstreamError:
            self._failed()
            return
        self._timer = self._loop.call_later(PROBE_SECONDS, self._failed)

    def _done(self, outcome: Outcome) -> None:
        if isinstance(outcome, Arrival) and outcome.facts.rcode not in (
            iana.REFUSED,
            iana.SERVFAIL,
        ):
            self._cancel_timer()
            self._attempt = None
            self._upstream.health.replied(self._loop.time() - self._begun)
        else:
            self._failed()

    def _failed(self) -> None:
        self.stop()
        self._upstream.health.probe_failed(self._loop.time())
        self.attend()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
