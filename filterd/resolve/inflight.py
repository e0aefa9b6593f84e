"""One exchange for all who ask the same at the same time, whatever their case, DO, CD or subnet.

Owns who waits for what. Every exchange asks for DNSSEC records (DO), so that one reply serves
everyone. A question that was answered is normalised and cached before those who wait are told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from filterd.errors import UpstreamError, WireError
from filterd.resolve.answers import Clamp, extended_errors, failure, normalise
from filterd.resolve.cache import Cache, Cached
from filterd.resolve.ports import Exchanger
from filterd.upstream.handover import Heard
from filterd.upstream.question import Told, UpstreamQuestion, UpstreamReply
from filterd.wire import constants as c
from filterd.wire import edns
from filterd.wire.records import Message, name_end, parse_reply

EXCHANGE_SECONDS = 1.9
STALE_AFTER = 1.8
"""Who has a stale answer to give waits no longer for a fresh one (RFC 8767 §5)."""

USABLE = (c.NOERROR, c.NXDOMAIN)
"""Rcodes that answer a question; every other one is a failure (RFC 9520 §2)."""

_log = logging.getLogger("filterd.resolve")
Waiter = TypeVar("Waiter")


class _Flight(Generic[Waiter]):
    """Who waits. Called back instead of awaited: a task costs as much as the sending."""

    __slots__ = ("_flights", "adopted", "begun", "key", "stale_timer", "waiting")

    def __init__(self, flights: Flights[Waiter], key: bytes, begun: float) -> None:
        self._flights = flights
        self.key = key
        self.begun = begun
        self.adopted = False
        self.waiting: list[Waiter] = []
        self.stale_timer: asyncio.TimerHandle | None = None

    def arrived(self, outcome: UpstreamReply | UpstreamError) -> None:
        """The exchanger's word."""
        self._flights.arrived(self, outcome)


class Flights(Generic[Waiter]):
    """The questions under way. `landed(waiter, answer)` is called once for everyone who waits,
    with a failure too: when nothing came, or nothing in time for who has a stale answer."""

    def __init__(
        self,
        exchanger: Exchanger,
        cache: Cache,
        clamp: Clamp,
        monotonic: Callable[[], float],
        landed: Callable[[Waiter, Cached], None],
    ) -> None:
        self._exchanger = exchanger
        self._cache = cache
        self._clamp = clamp
        self._monotonic = monotonic
        self._landed = landed
        self._flights: dict[bytes, _Flight[Waiter]] = {}
        self._empty: asyncio.Event | None = None
        self.answered: Callable[[Cached], None] = lambda _: None
        """Told of each answer with addresses (`gateway.answered`)."""
        self.elsewhere: Callable[[bytes], None] | None = None
        """Told of a question before it is asked: if it is under way outside, `adopt` is called."""
        self.noted: Callable[[bytes], None] = lambda key: None
        """Told of each question that is under way here."""

    def __len__(self) -> int:
        return len(self._flights)

    def __contains__(self, key: bytes) -> bool:
        return key in self._flights

    def join(self, key: bytes, waiter: Waiter, stale: bool) -> bool:
        """Wait for the answer to `key`; True when someone was already asking.

        `stale`: there is an old answer to give if this one takes too long.
        """
        flight = self._flights.get(key)
        if flight is None and self.elsewhere is not None:
            self.elsewhere(key)
            flight = self._flights.get(key)
        # an exchange that was handed over counts as the first waiter's own
        joined = flight is not None and not (flight.adopted and not flight.waiting)
        if flight is None:
            flight = self._start(key)
        flight.waiting.append(waiter)
        if stale and flight.stale_timer is None:
            left = flight.begun + STALE_AFTER - self._monotonic()
            loop = asyncio.get_running_loop()
            flight.stale_timer = loop.call_later(left, self._too_slow, flight)
        return joined

    def refresh(self, key: bytes) -> bool:
        """Ask anew though nobody waits; False when it is being asked already."""
        if key in self._flights:
            return False
        self._start(key)
        return True

    def adopt(self, key: bytes, begun: float, ask: Callable[[Told], Heard]) -> Heard:
        """Let others wait for an exchange that was begun outside, at `begun` (monotonic); `ask`
        hands it to whoever goes on with it and gives what that is to be told."""
        flight = self._flights[key] = _Flight(self, key, begun)
        self.noted(key)
        flight.adopted = True
        return ask(flight.arrived)

    async def finish(self, seconds: float) -> None:
        """Wait at most so long until nothing is under way."""
        if not self._flights:
            return
        self._empty = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()

    def arrived(self, flight: _Flight[Waiter], outcome: UpstreamReply | UpstreamError) -> None:
        """An exchange has ended: keep its answer and tell everyone who waits."""
        try:
            answer = self._answer(flight.key, outcome)
        except WireError as error:
            answer = self._fail(flight.key, edns.ede(c.EDE_INVALID, str(error)))
        except Exception:
            # whatever broke: nobody gets an unfiltered answer, and nobody is left waiting
            _log.exception("an exchange broke")
            answer = self._fail(flight.key, edns.ede(c.EDE_OTHER, "internal error"))
        if answer.addresses:
            self.answered(answer)
        del self._flights[flight.key]
        if flight.stale_timer is not None:
            flight.stale_timer.cancel()
        if self._empty is not None and not self._flights:
            self._empty.set()
        self._tell(flight, answer)

    def _start(self, key: bytes) -> _Flight[Waiter]:
        flight = self._flights[key] = _Flight(self, key, self._monotonic())
        self.noted(key)
        end = name_end(key, 0)
        qtype, qclass = key[end] << 8 | key[end + 1], key[end + 2] << 8 | key[end + 3]
        question = UpstreamQuestion(key[:end], qtype, qclass, True, len(key) > end + 4)
        deadline = flight.begun + EXCHANGE_SECONDS
        try:
            self._exchanger.ask(question, deadline, flight.arrived)
        except UpstreamError as error:
            asyncio.get_running_loop().call_soon(flight.arrived, error)
        except Exception:
            _log.exception("an exchange broke")
            broken = UpstreamError("internal error", c.EDE_OTHER)
            asyncio.get_running_loop().call_soon(flight.arrived, broken)
        return flight

    def _answer(self, key: bytes, outcome: UpstreamReply | UpstreamError) -> Cached:
        if isinstance(outcome, UpstreamError):
            return self._fail(key, edns.ede(outcome.ede, str(outcome)))
        message = outcome.message
        question = key if len(key) == name_end(key, 0) + 4 else key[:-1]
        if message is None or message.question != question:
            message = _read(outcome.wire, question)
        now = self._monotonic()
        if message.rcode not in USABLE:
            reason = extended_errors(message) or edns.ede(
                c.EDE_OTHER, f"the upstream answered with rcode {message.rcode}"
            )
            return self._cache.fail(failure(key, message.rcode, now, reason))
        answer = normalise(message, key, now, self._clamp)
        if answer.lifetime > 0:
            self._cache.put(answer)
        return answer

    def _fail(self, key: bytes, options: bytes) -> Cached:
        now = self._monotonic()
        return self._cache.fail(failure(key, c.SERVFAIL, now, options))

    def _too_slow(self, flight: _Flight[Waiter]) -> None:
        now = self._monotonic()
        self._tell(flight, failure(flight.key, c.SERVFAIL, now, edns.ede(c.EDE_NO_REACHABLE)))

    def _tell(self, flight: _Flight[Waiter], answer: Cached) -> None:
        waiting, flight.waiting = flight.waiting, []
        for waiter in waiting:
            self._landed(waiter, answer)


def _read(wire: bytes, question: bytes) -> Message:
    """The walked reply, its question in lower case, so that no random case is cached."""
    same = wire[12 : 12 + len(question) - 4].lower() + wire[8 + len(question) : 12 + len(question)]
    if same != question:
        raise WireError(c.SERVFAIL, "an answer to another question")
    return parse_reply(wire[:12] + question + wire[12 + len(question) :])
