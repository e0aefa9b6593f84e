"""One accepted connection as octets in and octets out, with TLS in between where it is wanted.

Owns the handshake, decryption and the end of a connection; what the octets mean is its session's.
asyncio's own TLS keeps 256 KiB for each connection and costs twice as much a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Protocol, cast

HANDSHAKE_SECONDS = 5.0
_CHUNK = 16_384


class Session(Protocol):
    """What a connection serves. `octets` are only lent until `receive` returns."""

    def begin(self, carrier: Carrier) -> None:
        """The connection is up, its handshake done."""

    def receive(self, octets: memoryview) -> None:
        """Take octets from the client."""

    def hold(self, full: bool) -> None:
        """The client has left too much unread (True), or has caught up (False)."""

    def end(self) -> None:
        """The client says no more; whoever has answered it closes."""

    def over(self) -> None:
        """The connection is gone."""


class Buffers:
    """Room for one read; all connections of a server use the same, one after the other."""

    __slots__ = ("opened", "received")

    def __init__(self) -> None:
        self.received = memoryview(bytearray(_CHUNK))
        self.opened = memoryview(bytearray(_CHUNK))


class Carrier(asyncio.BufferedProtocol):
    """The connection of one session. With `context` it begins with a handshake."""

    def __init__(
        self, session: Session, buffers: Buffers, context: ssl.SSLContext | None = None
    ) -> None:
        self._session = session
        self._buffers = buffers
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._up = self._said_all = False
        self._patience: asyncio.TimerHandle | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls: ssl.SSLObject | None = None
        if context is not None:
            self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.gone: asyncio.Future[None] = self._loop.create_future()

    async def serve(self, accepted: socket.socket) -> None:
        """Serve an accepted socket until the connection is gone; closes it."""
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await self._loop.connect_accepted_socket(lambda: self, accepted)
        try:
            await self.gone
        finally:
            self.abort()

    @property
    def unsent(self) -> int:
        """Octets that the client has not taken yet."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def limit_unsent(self, octets: int) -> None:
        """Call `hold` beyond so many."""
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=octets)

    def write(self, octets: bytes) -> None:
        """Send; nothing when the connection is closing."""
        if self._transport is None or self._transport.is_closing():
            return
        if self.tls is None:
            self._transport.write(octets)
            return
        try:
            self.tls.write(octets)
        except ssl.SSLError:
            self.abort()
            return
        self._transport.write(self._outgoing.read())

    def pause(self, paused: bool) -> None:
        """Read no more for now, or again."""
        if self._transport is None or self._transport.is_closing():
            return
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def close(self) -> None:
        """End when everything is sent."""
        if self._transport is None or self._transport.is_closing():
            return
        if self.tls is not None and self._up:
            with contextlib.suppress(ssl.SSLError):
                self.tls.unwrap()
        self._push()
        self._transport.close()

    def abort(self) -> None:
        """End at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self.tls is None:
            self._begin()
        else:
            self._patience = self._loop.call_later(HANDSHAKE_SECONDS, self.abort)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffers.received

    def buffer_updated(self, nbytes: int) -> None:
        octets = self._buffers.received[:nbytes]
        if self.tls is None:
            self._session.receive(octets)
            return
        self._incoming.write(octets)
        try:
            if self._up or self._shaken(self.tls):
                self._open(self.tls)
        except ssl.SSLError:
            # no TLS, or broken on the way: the alert is all that the client gets
            self._push()
            self.abort()
        else:
            self._push()

    def eof_received(self) -> bool:
        self._end()
        return True

    def pause_writing(self) -> None:
        self._session.hold(True)

    def resume_writing(self) -> None:
        self._session.hold(False)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        if self._up:
            self._session.over()
        if not self.gone.done():
            self.gone.set_result(None)

    def _begin(self) -> None:
        self._up = True
        self._session.begin(self)

    def _shaken(self, tls: ssl.SSLObject) -> bool:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        if self._patience is not None:
            self._patience.cancel()
        self._begin()
        return True

    def _open(self, tls: ssl.SSLObject) -> None:
        """Decrypt what is there, a room full at a time."""
        room, filled, more = self._buffers.opened, 0, True
        while more and self._transport is not None and not self._transport.is_closing():
            try:
                got = _read(tls, room[filled:])
            except ssl.SSLWantReadError:
                got, more = 0, False
            else:
                self._said_all = self._said_all or not got
                filled += got
                # asking once more would only raise
                more = bool(got) and (filled == _CHUNK or self._incoming.pending > 0)
            if filled and (filled == _CHUNK or not more):
                self._session.receive(room[:filled])
                filled = 0
        if self._said_all:
            self._end()

    def _end(self) -> None:
        if not self._up:
            self.abort()
        else:
            self._session.end()

    def _push(self) -> None:
        if self._outgoing.pending and self._transport is not None:
            self._transport.write(self._outgoing.read())


def _read(tls: ssl.SSLObject, room: memoryview) -> int:
    """How many octets were read into `room`: typeshed knows only the form that returns them."""
    return cast(int, tls.read(len(room), cast(bytearray, room)))
