"""DNS messages on one stream: frames in, answers in any order out (RFC 7766, RFC 9210).

Owns what one connection may hold and how long it may take. What the memo can repeat is answered
for all that came in one read at once; the rest goes to the handler, frame by frame.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from filterd.listen.carrier import Carrier
from filterd.resolve.memo import Memo
from filterd.resolve.via import Via

MOST_AT_ONCE = 65_536
"""Octets of answers after which they are sent before more is read."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Times in seconds, sizes in octets. The total gives way to the newest: the idlest goes."""

    total: int = 1024
    per_client: int = 32
    in_flight: int = 100
    idle: float = 10.0
    message: float = 3.0
    unread_bytes: int = 65_536


class Answerer(Protocol):
    """What of the handler a listener uses."""

    def try_answer(
        self, wire: bytes, address: bytes, now: float, via: Via, token: object = None
    ) -> bytes | None:
        """The response, or None: dropped, or sent later as `via.send(response, token)`."""


class Registry(Protocol):
    """Who keeps the connections of a server apart."""

    limits: StreamLimits

    def enter(self, one: Frames, address: bytes) -> bool:
        """Count a connection in; False: one too many of this client."""

    def active(self, one: Frames) -> None:
        """The connection asked something: it is the last to give way."""

    def leave(self, one: Frames, address: bytes) -> None:
        """Count it out."""


class Frames:
    """The session of one connection. `via_of` makes its `Via` once the carrier is up."""

    def __init__(
        self,
        registry: Registry,
        handler: Answerer,
        memo: Memo | None,
        address: bytes,
        via_of: Callable[[Carrier, Callable[[bytes, object], None]], Via],
    ) -> None:
        """With `memo` what it can repeat does not trouble the handler."""
        self._registry = registry
        self._limits = registry.limits
        self._handler = handler
        self._memo = memo
        self._address = address
        self._via_of = via_of
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._ready: list[bytes] = []
        self._waiting = 0
        self._begun = self._ended = self._held = 0.0  # since when, 0: not
        self._heard = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._entered = False

    def begin(self, carrier: Carrier) -> None:
        """Take a place among the connections, or be cut."""
        self._carrier = carrier
        self._via = self._via_of(carrier, self._late)
        if self._via.device is not None:
            self._memo = None  # it knows addresses and no devices
        self._entered = self._registry.enter(self, self._address)
        if not self._entered:
            carrier.abort()
            return
        carrier.limit_unsent(self._limits.unread_bytes)
        self._arm()

    def receive(self, octets: memoryview) -> None:
        """Answer the frames that are complete."""
        if not self._entered or self._ended:
            return
        self._registry.active(self)
        self._heard = self._loop.time()
        self._work(memoryview(self._rest + octets) if self._rest else octets)

    def hold(self, full: bool) -> None:
        """Who asks and does not read gets no more for now, and has a message's time."""
        self._held = self._loop.time() if full else 0.0
        self._go_on()

    def end(self) -> None:
        """The client has sent its last; it gets what it still waits for (RFC 7766 §6.2.4)."""
        self._ended = self._ended or self._loop.time()
        self._go_on()

    def over(self) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
        if self._entered:
            self._entered = False
            self._registry.leave(self, self._address)

    def abort(self) -> None:
        """End at once."""
        self._carrier.abort()

    @property
    def _blocked(self) -> bool:
        return self._waiting >= self._limits.in_flight or self._held > 0

    def _go_on(self) -> None:
        """Something has changed: take up again what had to wait."""
        if not self._entered:
            return
        if self._rest and not self._blocked:
            self._work(memoryview(self._rest))
        self._carrier.pause(self._blocked)
        if self._ended and not self._waiting and not self._blocked:
            self._close(patient=True)
        self._arm()

    def _work(self, octets: memoryview) -> None:
        at, size = 0, len(octets)
        while at < size and not self._blocked:
            start = at
            if self._memo is not None:
                at += self._repeat(self._memo, octets[at:])
            end = _frame_end(octets, at)
            if end <= size and not self._blocked:
                wire = bytes(octets[at + 2 : end])
                if len(wire) < 12 or wire[2] & 0x80:
                    self._close(patient=True)
                    return  # no query: nothing sensible follows in this stream
                self._ask(wire)
                at = end
            if at == start:
                break
        self._rest = bytes(octets[at:])
        self._begun = (0.0 if at else self._begun) or self._heard if self._rest else 0.0
        self._flush()
        if self._blocked:
            self._carrier.pause(True)
        if self._begun or self._timer is None:
            self._arm()

    def _repeat(self, memo: Memo, octets: memoryview) -> int:
        answers, used = memo.repeat_frames(octets, self._address, self._via.transport)
        if answers:
            self._ready.append(answers)
            if len(answers) >= MOST_AT_ONCE:
                self._flush()
        return used

    def _ask(self, wire: bytes) -> None:
        response = self._handler.try_answer(wire, self._address, time.monotonic(), self._via)
        if response is None:
            self._waiting += 1
        else:
            self._ready.append(len(response).to_bytes(2, "big") + response)
            if len(response) > 4096:
                self._flush()

    def _flush(self) -> None:
        """One send for everything that was answered at once."""
        if self._ready:
            answers = b"".join(self._ready)
            self._ready.clear()
            self._write(answers)

    def _late(self, response: bytes, _token: object) -> None:
        was_blocked = self._blocked
        self._waiting -= 1
        self._write(len(response).to_bytes(2, "big") + response)
        if was_blocked or self._ended:
            self._go_on()

    def _write(self, framed: bytes) -> None:
        if self._carrier.unsent > 4 * self._limits.unread_bytes:
            self.abort()  # asks and does not read
            return
        self._carrier.write(framed)

    def _close(self, *, patient: bool) -> None:
        """End; when `patient` the client has a little time to take what was written."""
        self._flush()
        if self._carrier.unsent:
            if not patient:
                self.abort()
                return
            self._loop.call_later(self._limits.message, self.abort)
        self._carrier.close()

    def _deadline(self) -> float:
        """An unfinished message has less time than silence, from its first octet."""
        if since := self._held or self._ended:
            return since + self._limits.message
        if self._blocked:
            return math.inf
        if self._begun:
            return self._begun + self._limits.message
        return self._heard + self._limits.idle

    def _arm(self) -> None:
        until = min(self._deadline(), self._loop.time() + self._limits.idle)
        if self._timer is not None and self._timer.when() > until:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and self._entered:
            self._timer = self._loop.call_at(until, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._deadline() <= self._loop.time():
            self._close(patient=False)
        else:
            self._arm()


def _frame_end(octets: memoryview, start: int) -> int:
    """Where the frame at `start` ends; behind everything while its length is not there yet."""
    if len(octets) < start + 2:
        return len(octets) + 1
    return start + 2 + (octets[start] << 8 | octets[start + 1])
