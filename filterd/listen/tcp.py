"""DNS over a stream: who is connected, and accepting on a plain socket.

`StreamServer` serves plain and TLS; `StreamListener` accepts. One connection: `frames`.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable

from filterd import tasks
from filterd.listen.accept import packed
from filterd.listen.carrier import Buffers, Carrier
from filterd.listen.frames import Answerer, Frames, StreamLimits
from filterd.metrics import layout
from filterd.metrics.counters import Counters
from filterd.resolve.memo import Memo
from filterd.resolve.via import Via
from filterd.wire import padding

__all__ = ("StreamLimits", "StreamListener", "StreamServer")

_OPEN = layout.single_place("tcp_open")
_OPENED = layout.single_place("tcp_opened")
_REFUSED = layout.single_place("tcp_refused")
_ACCEPTS = 32
_EMFILE_PAUSE = 0.1


class StreamServer:
    """Serves framed queries on connections that somebody else accepted."""

    def __init__(
        self,
        handler: Answerer,
        counters: Counters,
        limits: StreamLimits | None = None,
        memo: Memo | None = None,
    ) -> None:
        """With `memo` what it can repeat does not trouble the handler."""
        self.limits = limits or StreamLimits()
        self.memo = memo
        self._handler = handler
        self._values = counters.values
        self._buffers = Buffers()
        self._open: OrderedDict[Frames, None] = OrderedDict()
        self._by_client: dict[bytes, int] = {}

    async def serve(
        self,
        accepted: socket.socket,
        address: bytes,
        transport: int = layout.TCP,
        context: ssl.SSLContext | None = None,
        device_of: Callable[[ssl.SSLObject | None], str | None] | None = None,
    ) -> None:
        """Answer a peer (16 octets) until its connection is over; returns with it closed.

        With `context` it begins with TLS, and `device_of` says which device that told.
        """
        keepalive = int(self.limits.idle * 10)
        pad = padding.BLOCK if transport == layout.DOT else 0

        def via(carrier: Carrier, send: Callable[[bytes, object], None]) -> Via:
            device = device_of(carrier.tls) if device_of is not None else None
            return Via(transport, send, device, keepalive, pad)

        frames = Frames(self, self._handler, self.memo, address, via)
        await Carrier(frames, self._buffers, context).serve(accepted)

    def enter(self, one: Frames, address: bytes) -> bool:
        """Count a connection in; False: one too many of this client."""
        if self._by_client.get(address, 0) >= self.limits.per_client:
            self._values[_REFUSED] += 1
            return False
        if len(self._open) >= self.limits.total:
            next(iter(self._open)).abort()
        self._open[one] = None
        self._by_client[address] = self._by_client.get(address, 0) + 1
        self._values[_OPENED] += 1
        self._values[_OPEN] = len(self._open)
        return True

    def active(self, one: Frames) -> None:
        """The connection asked something: it is the last to give way."""
        if one in self._open:
            self._open.move_to_end(one)

    def leave(self, one: Frames, address: bytes) -> None:
        """Count it out."""
        self._open.pop(one, None)
        self._by_client[address] -= 1
        if not self._by_client[address]:
            del self._by_client[address]
        self._values[_OPEN] = len(self._open)

    def close(self) -> None:
        """End every connection."""
        for one in list(self._open):
            one.abort()


class StreamListener:
    """Accepts on one listening socket."""

    def __init__(self, sock: socket.socket, server: StreamServer) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._server = server
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
        try:
            await self._server.serve(accepted, address)
        except OSError:
            accepted.close()
