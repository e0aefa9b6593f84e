"""DNS over TCP and over TLS to one upstream: connections are reused and pipelined (RFC 7766).

One `Connection` carries many questions, answered in any order; `Stream` keeps a few of them.
Which octets go under the questions (plain or TLS) is the `Dial`'s business.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Awaitable, Callable
from typing import cast

from filterd.errors import UpstreamError
from filterd.tasks import spawn
from filterd.upstream.attempt import Arrival, Attempt, Done
from filterd.upstream.habits import Habits
from filterd.upstream.message import (
    Fit,
    bare_refusal,
    build,
    cookie_option,
    fit,
    inspect,
    mix_case,
    padding_option,
)
from filterd.upstream.question import UpstreamQuestion
from filterd.wire import constants as iana

CONNECT_SECONDS = 3.0
IDLE_SECONDS = 9.0
"""Below the 10 s after which most servers close, so that they rarely close under a question."""
MAX_CONNECTIONS = 4
MAX_PIPELINED = 100

Dial = Callable[[Callable[[], asyncio.BufferedProtocol]], Awaitable[asyncio.BufferedProtocol]]
"""Connects, checks who is there, and returns the protocol; raises OSError or UpstreamError."""


class Asked:
    """One question on a stream."""

    __slots__ = (
        "_done",
        "_stream",
        "connection",
        "lied_to",
        "query",
        "question",
        "retried",
        "sent",
    )

    def __init__(self, stream: Stream, question: UpstreamQuestion, done: Done) -> None:
        self._stream, self.question, self._done = stream, question, done
        self.connection: Connection | None = None
        self.query = b""
        self.sent = 1
        self.lied_to = False
        self.retried = False

    def cancel(self) -> None:
        """Forget the question; its reply will be dropped on arrival."""
        if self.connection is not None:
            self.connection.forget(self)

    def finish(self, outcome: Arrival | UpstreamError) -> None:
        """Tell the pool, once."""
        self._done(outcome)

    def connection_lost(self, error: UpstreamError, *, fresh: bool) -> None:
        """A reused connection may close as we write: try a new one once (RFC 7766 §6.2.4)."""
        if fresh or self.retried:
            self._done(error)
            return
        self.retried = True
        try:
            self._stream.place(self)
        except UpstreamError as busy:
            self._done(busy)


class Stream:
    """The transports `tcp` and `dot` of one upstream."""

    def __init__(self, dial: Dial, transport: str, habits: Habits, *, padded: bool = False) -> None:
        self._dial = dial
        self.transport = transport
        self.habits = habits
        self.padded = padded
        self._connections: list[Connection] = []

    def start(self, question: UpstreamQuestion, done: Done) -> Attempt:
        """Put the question on a connection, a new one if none is open or all are busy."""
        asked = Asked(self, question, done)
        self.place(asked)
        return asked

    def place(self, asked: Asked) -> None:
        """Choose the least busy connection for a question."""
        usable = [one for one in self._connections if not one.closing]
        best = min(usable, key=len, default=None)
        if best is None or (len(best) >= MAX_PIPELINED and len(usable) < MAX_CONNECTIONS):
            best = Connection(self)
            self._connections.append(best)
            spawn(best.open(self._dial), f"connect {self.transport}")
        elif len(best) >= MAX_PIPELINED:
            raise UpstreamError("too many questions on every connection", iana.EDE_OTHER)
        best.ask(asked)

    def drop(self, connection: Connection) -> None:
        """A connection is gone."""
        if connection in self._connections:
            self._connections.remove(connection)

    def compose(self, question: UpstreamQuestion, ident: int) -> bytes:
        """The query for this stream: mixed case and cookie on TCP, padding on TLS."""
        name, options = question.name_wire, b""
        if self.padded:
            options = padding_option(12 + len(name) + 4 + 11)
        else:
            options = cookie_option(self.habits.client_cookie, self.habits.server_cookie)
            if self.habits.keeps_case:
                name = mix_case(name, os.urandom(len(name)))
        return build(question, ident, name=name, options=options, edns=self.habits.edns)

    async def close(self) -> None:
        """Close every connection; questions on them fail."""
        for connection in list(self._connections):
            connection.close(UpstreamError("shutting down"))


class Connection(asyncio.BufferedProtocol):
    """One connection: frames in and out, replies matched by id and question."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = None
        self._checked = False
        self._asked: dict[int, Asked] = {}
        self._buffer = bytearray(2 + 65535)
        self._filled = 0
        self._answered = 0
        self._idle: asyncio.TimerHandle | None = None
        self.closing = False

    def __len__(self) -> int:
        return len(self._asked)

    async def open(self, dial: Dial) -> None:
        """Connect within CONNECT_SECONDS; a failure fails every question that waits for it."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await dial(lambda: self)
        except UpstreamError as error:
            self.close(error)
        except TimeoutError:
            self.close(UpstreamError("no connection in time"))
        except OSError as error:
            reason = error.strerror or str(error)
            self.close(UpstreamError(f"cannot connect: {reason}", iana.EDE_NETWORK))
        else:
            self._flush()

    def ask(self, asked: Asked) -> None:
        """Give the question an id of its own here and send it as soon as we are connected."""
        ident = int.from_bytes(os.urandom(2), "big")
        while ident in self._asked:
            ident = int.from_bytes(os.urandom(2), "big")
        asked.connection = self
        asked.query = self._stream.compose(asked.question, ident)
        self._asked[ident] = asked
        self._send(asked)

    def forget(self, asked: Asked) -> None:
        """Nobody waits for this answer any more."""
        self._asked.pop(int.from_bytes(asked.query[:2], "big"), None)

    def close(self, error: UpstreamError) -> None:
        """Close; what is still asked here is tried elsewhere or fails with `error`."""
        if self.closing:
            return
        self.closing = True
        self._stream.drop(self)
        if self._idle is not None:
            self._idle.cancel()
        if self._transport is not None:
            self._transport.abort()
        waiting, self._asked = self._asked, {}
        for asked in waiting.values():
            asked.connection = None
            asked.connection_lost(error, fresh=not self._answered)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing is sent yet: the dial first checks who is there."""
        self._transport = cast(asyncio.WriteTransport, transport)
        if self.closing:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer closed or the network broke."""
        self.close(UpstreamError(f"connection lost: {exc or 'closed by the upstream'}"))

    def eof_received(self) -> bool:
        """A half-closed upstream has nothing more to say to us."""
        return False

    def get_buffer(self, sizehint: int) -> memoryview:
        """The rest of the frame buffer; a frame always fits."""
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Take every complete frame out of the buffer."""
        self._filled += nbytes
        start = 0
        while self._filled - start >= 2:
            length = self._buffer[start] << 8 | self._buffer[start + 1]
            if self._filled - start < 2 + length:
                break
            self._arrived(bytes(self._buffer[start + 2 : start + 2 + length]))
            start += 2 + length
        if start:
            rest = self._buffer[start : self._filled]
            self._buffer[: len(rest)] = rest
            self._filled = len(rest)

    def _flush(self) -> None:
        if self.closing:
            return
        self._checked = True
        for asked in self._asked.values():
            self._send(asked)
        self._rest()

    def _send(self, asked: Asked) -> None:
        if self._checked and self._transport is not None:
            self._transport.write(struct.pack("!H", len(asked.query)) + asked.query)

    def _rest(self) -> None:
        """(Re)start the idle clock; it only closes when nothing is asked."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = self._loop.call_later(IDLE_SECONDS, self._rested)

    def _rested(self) -> None:
        if self._asked:
            self._rest()
        else:
            self.close(UpstreamError("idle"))

    def _arrived(self, wire: bytes) -> None:
        asked = self._asked.get(int.from_bytes(wire[:2], "big")) if len(wire) >= 12 else None
        if asked is None:
            return
        self._answered += 1
        self._rest()
        habits = self._stream.habits
        verdict = fit(asked.query, wire)
        facts = inspect(wire)
        refused = (
            facts is not None and facts.rcode in (iana.FORMERR, iana.NOTIMP) and not facts.has_opt
        )
        if habits.edns and (bare_refusal(asked.query, wire) or (refused and verdict is Fit.GOOD)):
            habits.edns = False
            self._again(asked)
        elif facts is None or facts.truncated or verdict not in (Fit.GOOD, Fit.WRONG_CASE):
            habits.malformed += 1
            asked.lied_to = True
        else:
            if verdict is Fit.WRONG_CASE:
                habits.keeps_case = False
            habits.server_cookie = _server_cookie(habits, facts.cookie)
            self.forget(asked)
            asked.finish(Arrival(wire[: facts.end], facts, self._stream.transport))

    def _again(self, asked: Asked) -> None:
        """Ask once more on this connection, now without EDNS."""
        self.forget(asked)
        asked.sent += 1
        self.ask(asked)


def _server_cookie(habits: Habits, cookie: bytes | None) -> bytes:
    """What to send back next time; b"" when the upstream no longer does cookies."""
    if cookie is not None and cookie[:8] == habits.client_cookie and 16 <= len(cookie) <= 40:
        return cookie[8:]
    return b""
