"""DNS over a stream: frames, answers out of order, limits on all that a client may hold.

`StreamServer` serves plain and TLS; `StreamListener` accepts (RFC 7766, RFC 9210).
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time
from collections import OrderedDict
from dataclasses import dataclass

from filterd import tasks
from filterd.listen.accept import cut, packed
from filterd.metrics import layout
from filterd.metrics.counters import Counters
from filterd.resolve.handler import Handler
from filterd.resolve.memo import Memo
from filterd.resolve.via import Via

_OPEN = layout.single_place("tcp_open")
_OPENED = layout.single_place("tcp_opened")
_REFUSED = layout.single_place("tcp_refused")
_ACCEPTS = 32
_EMFILE_PAUSE = 0.1
_HANDSHAKE_SECONDS = 3.0
_CHUNK = 16_384


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Times in seconds, sizes in octets. The total gives way to the newest: the idlest goes."""

    total: int = 1024
    per_client: int = 32
    in_flight: int = 100
    idle: float = 10.0
    message: float = 3.0
    unread_bytes: int = 65_536


class StreamServer:
    """Serves framed queries on connections that somebody else accepted."""

    def __init__(
        self,
        handler: Handler,
        counters: Counters,
        limits: StreamLimits | None = None,
        memo: Memo | None = None,
    ) -> None:
        """With `memo` what it can repeat does not trouble the handler."""
        self.limits = limits or StreamLimits()
        self.memo = memo
        self._handler = handler
        self._values = counters.values
        self._open: OrderedDict[_Connection, None] = OrderedDict()
        self._by_client: dict[bytes, int] = {}

    async def serve_stream(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        address: bytes,
        transport: int,
        device: str | None = None,
    ) -> None:
        """Answer a peer (16 octets) on this connection until it ends; returns with it closed."""
        if self._by_client.get(address, 0) >= self.limits.per_client:
            self._values[_REFUSED] += 1
            writer.transport.abort()
            return
        if len(self._open) >= self.limits.total:
            next(iter(self._open)).abort()
        connection = _Connection(self, reader, writer, transport, device)
        self._enter(connection, address)
        try:
            await connection.serve(self._handler, address)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            connection.close(unread=False)
        else:
            connection.close(unread=True)
        finally:
            self._leave(connection, address)

    def active(self, connection: _Connection) -> None:
        """The connection asked something: it is the last to give way."""
        if connection in self._open:
            self._open.move_to_end(connection)

    def close(self) -> None:
        """End every connection."""
        for connection in list(self._open):
            connection.abort()

    def _enter(self, connection: _Connection, address: bytes) -> None:
        self._open[connection] = None
        self._by_client[address] = self._by_client.get(address, 0) + 1
        self._values[_OPENED] += 1
        self._values[_OPEN] = len(self._open)

    def _leave(self, connection: _Connection, address: bytes) -> None:
        self._open.pop(connection, None)
        self._by_client[address] -= 1
        if not self._by_client[address]:
            del self._by_client[address]
        self._values[_OPEN] = len(self._open)


class _Connection:
    """One connection: reads frames, and writes answers as they come."""

    def __init__(
        self,
        server: StreamServer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        transport: int,
        device: str | None,
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._waiting = 0
        self._ready: list[bytes] = []
        self._unfinished_since = 0.0
        self._room = asyncio.Event()
        self._done = asyncio.Event()
        keepalive = int(server.limits.idle * 10)
        pad = 468 if transport in (layout.DOT, layout.DOH) else 0
        self._via = Via(transport, self._late, device, keepalive, pad)
        self._memo = server.memo if device is None else None
        writer.transport.set_write_buffer_limits(high=server.limits.unread_bytes)

    async def serve(self, handler: Handler, address: bytes) -> None:
        """Answer frame after frame until the client has none left."""
        waiting = b""
        while chunk := await self._more(waiting):
            self._server.active(self)
            waiting += chunk
            start = 0
            while (end := _frame_end(waiting, start)) <= len(waiting):
                wire = waiting[start + 2 : end]
                if len(wire) < 12 or wire[2] & 0x80:
                    await self._flush()
                    return  # no query: nothing sensible follows in this stream
                await self._answer(handler, address, wire)
                start = end
            if start:
                waiting = waiting[start:]
                self._unfinished_since = 0.0
            await self._flush()
        await self._finish()

    async def _more(self, waiting: bytes) -> bytes:
        """The next octets; an unfinished message has less time than silence, from its first."""
        loop = asyncio.get_running_loop()
        if not waiting:
            deadline = loop.time() + self._server.limits.idle
        else:
            self._unfinished_since = self._unfinished_since or loop.time()
            deadline = self._unfinished_since + self._server.limits.message
        async with asyncio.timeout_at(deadline):
            return await self._reader.read(_CHUNK)

    async def _answer(self, handler: Handler, address: bytes, wire: bytes) -> None:
        while self._waiting >= self._server.limits.in_flight:
            await self._flush()
            self._room.clear()
            await self._room.wait()
        via, memo = self._via, self._memo
        response = memo.repeat(wire, address, via.transport) if memo else None
        if response is None:
            response = handler.try_answer(wire, address, time.monotonic(), via)
        if response is None:
            self._waiting += 1
            self._done.clear()
        else:
            self._ready.append(len(response).to_bytes(2, "big") + response)

    async def _flush(self) -> None:
        """Write what was answered at once: one send for everything that came in one read."""
        if self._ready:
            self._write(b"".join(self._ready))
            self._ready.clear()
            async with asyncio.timeout(self._server.limits.message):
                await self._writer.drain()

    async def _finish(self) -> None:
        """The client has sent its last; it gets what it still waits for (RFC 7766 §6.2.4)."""
        if self._waiting:
            async with asyncio.timeout(self._server.limits.message):
                await self._done.wait()
        async with asyncio.timeout(self._server.limits.message):
            await self._writer.drain()

    def _late(self, response: bytes, token: object) -> None:
        self._waiting -= 1
        self._room.set()
        if not self._waiting:
            self._done.set()
        self._write(len(response).to_bytes(2, "big") + response)

    def _write(self, framed: bytes) -> None:
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > 4 * self._server.limits.unread_bytes:
            self.abort()  # asks and does not read
            return
        self._writer.write(framed)

    def abort(self) -> None:
        """End at once."""
        cut(self._writer.transport)

    def close(self, unread: bool) -> None:
        """End; with `unread` the client has a little time to take what was written."""
        transport = self._writer.transport
        if transport.get_write_buffer_size():
            if not unread:
                transport.abort()
                return
            loop = asyncio.get_running_loop()
            loop.call_later(self._server.limits.message, transport.abort)
        transport.close()


class StreamListener:
    """Accepts on one listening socket; with `context` every connection begins with TLS."""

    def __init__(
        self,
        sock: socket.socket,
        server: StreamServer,
        transport: int = layout.TCP,
        context: ssl.SSLContext | None = None,
    ) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._server = server
        self._transport = transport
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(sock, self._acceptable)

    def close(self) -> None:
        """Stop accepting; the socket itself belongs to whoever opened it."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._socket)

    def _acceptable(self) -> None:
        for _ in range(_ACCEPTS):
            try:
                accepted, peer = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                # no descriptor is left: the connection stays in the queue, asking again at once
                # would only burn the processor
                self._loop.remove_reader(self._socket)
                self._pause = self._loop.call_later(_EMFILE_PAUSE, self._resume)
                return
            tasks.spawn(self._serve(accepted, packed(str(peer[0]))), "stream")

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._socket, self._acceptable)

    async def _serve(self, accepted: socket.socket, address: bytes) -> None:
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = asyncio.StreamReader(limit=131_072)
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: protocol,
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._context else None,
            )
        except (OSError, ssl.SSLError):
            accepted.close()
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)
        await self._server.serve_stream(reader, writer, address, self._transport)


def _frame_end(octets: bytes, start: int) -> int:
    """Where the frame at `start` ends; behind everything while its length is not there yet."""
    if len(octets) < start + 2:
        return len(octets) + 1
    return start + 2 + (octets[start] << 8 | octets[start + 1])
