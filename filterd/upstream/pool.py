"""The pool: which upstreams a question may go to and in which order; the door of this room.

Owns the upstreams, their probes and the sockets. Knows no client, no policy and no cache.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from filterd.errors import ConfigError, Problem, UpstreamError
from filterd.upstream.build import Builder
from filterd.upstream.endpoint import Scheme, parse
from filterd.upstream.handover import Handover, Heard, Lead
from filterd.upstream.health import State
from filterd.upstream.probe import Prober
from filterd.upstream.question import Told, UpstreamQuestion, UpstreamReply
from filterd.upstream.race import RETRY_SECONDS, Plan, Race, Track
from filterd.upstream.settings import PoolSettings, Strategy
from filterd.upstream.sockets import Sockets
from filterd.upstream.stream import Stream
from filterd.upstream.system import resolvers
from filterd.upstream.udp import Udp
from filterd.upstream.upstream import Upstream, UpstreamStatus, status
from filterd.upstream.wheel import Wheel
from filterd.wire.names import from_text, from_wire, to_wire

EXCHANGE_SECONDS = 1.9
"""No exchange takes longer, whatever deadline it was given: all dead must be told within 2 s."""
HOUSEKEEPING_SECONDS = 10.0
TRUST_AGAIN_ROUNDS = 60
EXPLORE_EVERY = 50
"""One question in so many starts with another than the fastest: its time may have changed."""
_HEDGE = {
    Strategy.PARALLEL: (2, 0.05, 0.4),
    Strategy.FASTEST: (1, 0.05, 0.4),
    Strategy.SEQUENTIAL: (1, 0.4, 0.8),
}


class Pool:
    """All upstreams of this process. `start` and `close` belong to the running loop."""

    def __init__(self, settings: PoolSettings) -> None:
        """Reads every upstream; raises ConfigError with all problems at once."""
        self._settings = settings
        self._hedge = _HEDGE[settings.strategy]
        self._general, self._zones = _read(settings)
        self._sockets: Sockets | None = None
        self._builder: Builder | None = None
        self._track: Track | None = None
        self._upstreams: tuple[Upstream, ...] = ()
        self._conditional: dict[bytes, tuple[Upstream, ...]] = {}
        self._probers: dict[int, Prober] = {}
        self._system: tuple[str, ...] = ()
        self._housekeeping: asyncio.TimerHandle | None = None
        self._rounds = 0
        self._asked = 0
        self._clock_believed = True

    async def start(self) -> None:
        """Make the upstreams ready; connects nothing yet."""
        self._sockets = Sockets()
        self._track = Track(asyncio.get_running_loop(), Wheel(), self._attend)
        system = resolvers(self._settings.resolv_conf, self._settings.own)
        plain = tuple(text for text in self._general if parse(text).scheme is Scheme.UDP)
        self._builder = Builder(self._sockets, self._settings.ca_file, plain or system)
        self._upstreams = self._build(self._general, None)
        self._conditional = {zone: self._build(texts, zone) for zone, texts in self._zones.items()}
        self._keep_house()

    def between(self, look: Callable[[], None]) -> None:
        """Call `look` between two pieces of work from now on: clients need not wait for all."""
        if self._sockets is not None and self._track is not None:
            self._sockets.between = self._track.wheel.between = look

    def believe_clock(self, believed: bool) -> None:
        """Certificates' dates count while the clock is believed, which it is until this is told;
        connections made before it was are ended."""
        if self._builder is None or believed == self._clock_believed:
            return
        self._clock_believed = believed
        self._builder.judge_dates(believed)
        for upstream in self._every():
            secure = upstream.endpoint.scheme in (Scheme.TLS, Scheme.HTTPS)
            if believed and secure and isinstance(upstream.transport, Stream):
                upstream.transport.renew()

    async def close(self) -> None:
        """Close every connection and stop every probe."""
        if self._housekeeping is not None:
            self._housekeeping.cancel()
        for prober in self._probers.values():
            prober.stop()
        for upstream in self._every():
            await upstream.transport.close()
        if self._builder is not None and self._sockets is not None:
            await self._builder.close()
            self._sockets.close()
            self._builder = self._sockets = None
        if self._track is not None:
            self._track.wheel.close()
            self._track = None

    async def exchange(self, question: UpstreamQuestion, deadline: float) -> UpstreamReply:
        """Ask; `deadline` is in loop time. Raises UpstreamError (ede 22, 23 or 24).

        The reply may be a SERVFAIL when every upstream said so; REFUSED never comes back.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[UpstreamReply] = loop.create_future()

        def done(outcome: UpstreamReply | UpstreamError) -> None:
            if future.done():
                return
            if isinstance(outcome, UpstreamError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        race = self.ask(question, deadline, done)
        try:
            return await future
        finally:
            race.cancel()

    def ask(self, question: UpstreamQuestion, deadline: float, done: Told) -> Race:
        """The same without a task: `done` hears the reply or the error, after this has returned."""
        if self._track is None:
            raise UpstreamError("the pool has not been started")
        candidates = self._conditional_for(question.name_wire) if self._conditional else None
        if candidates is None:
            candidates = self._upstreams
        if not candidates:
            raise UpstreamError("no upstream is configured and the system has no resolver")
        deadline = min(deadline, self._track.loop.time() + EXCHANGE_SECONDS)
        race = Race(self._track, self._plan(candidates), question, deadline, done)
        race.start()
        return race

    def plain(self, name: bytes) -> bool:
        """Whether a lower-case wire name goes to the upstreams for everything."""
        return not self._conditional or self._conditional_for(name) is None

    def leading(self) -> tuple[Lead, ...]:
        """Who is asked first, all at once, when all are asked over UDP and are well; else none."""
        if self._track is None or not self._upstreams:
            return ()
        plan = self._plan(self._upstreams)
        alone = plan.at_once >= len(plan.order)
        least, most = (RETRY_SECONDS,) * 2 if alone else (plan.least, plan.most)
        leads = []
        for upstream in plan.order[: plan.at_once]:
            transport, health = upstream.transport, upstream.health
            if not isinstance(transport, Udp) or health.state is State.HELD:
                return ()
            if not upstream.habits.edns:
                return ()
            leads.append(Lead(upstream, transport.address, health.patience(least, most)))
        return tuple(leads)

    def account(self, lead: Lead, tally: tuple[int, int, float, float, int, int, bytes]) -> None:
        """What became of questions that were sent for the pool (`resolve.forward_ports.Tally`)."""
        sent, replies, seconds, outrun, wrong_ids, malformed, cookie = tally
        upstream, health, habits = lead.upstream, lead.upstream.health, lead.upstream.habits
        health.queries += sent
        habits.wrong_ids += wrong_ids
        habits.malformed += malformed
        if cookie[:8] == habits.client_cookie:
            habits.server_cookie = cookie[8:]
        if replies:
            was_held = health.hold_seconds
            health.replied(seconds / replies)
            health.replies += replies - 1
            if was_held:
                self._attend(upstream)
        elif outrun and self._track is not None and health.outrun(self._track.loop.time(), outrun):
            self._attend(upstream)

    def adopt(
        self, question: UpstreamQuestion, taken: Handover, deadline: float, done: Told
    ) -> Heard:
        """Go on with an exchange that was begun outside; the result is told what is heard of it."""
        if self._track is None:
            raise UpstreamError("the pool has not been started")
        plan = self._plan(self._upstreams)
        order = (taken.upstream, *(one for one in plan.order if one is not taken.upstream))
        race = Race(self._track, plan._replace(order=order), question, deadline, done)
        return race.adopt(taken).heard

    def snapshot(self) -> tuple[UpstreamStatus, ...]:
        """The counters of every upstream, the conditional ones with their zone."""
        general = tuple(status(upstream, "") for upstream in self._upstreams)
        return general + tuple(
            status(upstream, from_wire(zone))
            for zone, upstreams in self._conditional.items()
            for upstream in upstreams
        )

    def _plan(self, candidates: tuple[Upstream, ...]) -> Plan:
        at_once, least, most = self._hedge
        if len(candidates) == 1:
            return Plan(candidates, 1, least, most)
        order = [one for one in candidates if one.health.state is State.UP]
        held = [one for one in candidates if one.health.state is State.HELD]
        if self._settings.strategy is not Strategy.SEQUENTIAL:
            order.sort(key=lambda one: one.health.srtt)
            self._asked += 1
            if self._asked % EXPLORE_EVERY == 0:
                order = order[1:] + order[:1]
        held.sort(key=lambda one: one.health.held_until)
        return Plan((*order, *held), min(at_once, len(order) or at_once), least, most)

    def _conditional_for(self, name: bytes) -> tuple[Upstream, ...] | None:
        """The upstreams of the longest configured zone at or above the name."""
        at = 0
        while True:
            found = self._conditional.get(name[at:])
            if found is not None:
                return found
            if not name[at]:
                return None
            at += 1 + name[at]

    def _build(self, texts: tuple[str, ...], zone: bytes | None) -> tuple[Upstream, ...]:
        if self._builder is None:
            raise RuntimeError("the pool has not been started")
        made = tuple(self._builder.upstream(text, zone) for text in texts)
        for upstream in made:
            self._probers[id(upstream)] = Prober(upstream)
        return made

    def _attend(self, upstream: Upstream) -> None:
        """A race saw an upstream fail, be outrun for long, or come back."""
        self._probers[id(upstream)].attend()

    def _every(self) -> list[Upstream]:
        found = list(self._upstreams)
        for upstreams in self._conditional.values():
            found.extend(upstreams)
        return found

    def _keep_house(self) -> None:
        """Follow resolv.conf, and give upstreams that were excused another chance."""
        loop = asyncio.get_running_loop()
        self._housekeeping = loop.call_later(HOUSEKEEPING_SECONDS, self._keep_house)
        self._rounds += 1
        if self._rounds % TRUST_AGAIN_ROUNDS == 0:
            for upstream in self._every():
                upstream.habits.trust_again()
        if self._general:
            return
        found = resolvers(self._settings.resolv_conf, self._settings.own)
        if found != self._system:
            for upstream in self._upstreams:
                self._probers.pop(id(upstream)).stop()
            self._system = found
            self._upstreams = self._build(found, None)


def _read(
    settings: PoolSettings,
) -> tuple[tuple[str, ...], dict[bytes, tuple[str, ...]]]:
    """The upstream texts by zone; raises ConfigError naming every one that cannot be read."""
    problems: list[Problem] = []

    def check(texts: tuple[str, ...], key: str) -> tuple[str, ...]:
        for text in texts:
            try:
                parse(text)
            except ValueError as error:
                problems.append(Problem("settings", None, key, str(error)))
        return texts

    general = check(settings.upstreams, "upstreams")
    zones: dict[bytes, tuple[str, ...]] = {}
    for zone, texts in settings.conditional.items():
        try:
            zones[to_wire(from_text(zone))] = check(texts, f"conditional.{zone}")
        except ValueError as error:
            problems.append(Problem("settings", None, f"conditional.{zone}", str(error)))
    if problems:
        raise ConfigError(problems)
    return general, zones
