"""Accepting connections one by one, so that their number is bounded before TLS has begun.

Owns the limits of reliability: so many in all, so many per client. Knows no DNS and no HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address

from filterd.tasks import spawn

HANDSHAKE_SECONDS = 5.0
PAUSE_SECONDS = 0.1
"""How long nothing is accepted when the process is out of descriptors."""


class Gate:
    """How many connections there are, in all and of each client."""

    def __init__(self, total: int = 1024, per_client: int = 32) -> None:
        self._total, self._per_client = total, per_client
        self._open: Counter[bytes] = Counter()
        self._sum = 0
        self.refused = 0

    def __len__(self) -> int:
        return self._sum

    def enter(self, client: bytes) -> bool:
        """Count a connection in; False: it is one too many."""
        if self._sum >= self._total or self._open[client] >= self._per_client:
            self.refused += 1
            return False
        self._open[client] += 1
        self._sum += 1
        return True

    def leave(self, client: bytes) -> None:
        """Count a connection out."""
        self._sum -= 1
        self._open[client] -= 1
        if self._open[client] <= 0:
            del self._open[client]


class Connection(asyncio.Protocol):
    """A protocol that tells when it is over; `client` is its peer in 16 octets."""

    def __init__(self, client: bytes) -> None:
        self.client = client
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        """The base's part of the end: whoever overrides it calls it."""
        if not self.over.done():
            self.over.set_result(None)


class Acceptor:
    """Serves one listening socket until `close`."""

    def __init__(
        self,
        sock: socket.socket,
        gate: Gate,
        make: Callable[[bytes], Connection],
        context: Callable[[], ssl.SSLContext],
    ) -> None:
        sock.setblocking(False)
        self._sock, self._gate, self._make, self._context = sock, gate, make, context
        self._live: set[asyncio.BaseTransport] = set()
        self._task = spawn(self._accept(), "accept")

    async def close(self) -> None:
        """Accept no more and drop what is open; the socket is its opener's to close."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        for transport in list(self._live):
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, peer = await loop.sock_accept(self._sock)
            except OSError:
                # EMFILE, ENFILE, ENOBUFS, or a client that went away: never spin on it
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            client = packed(peer[0])
            if self._gate.enter(client):
                spawn(self._serve(accepted, client), "serve a client")
            else:
                accepted.close()

    async def _serve(self, accepted: socket.socket, client: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            transport, connection = await loop.connect_accepted_socket(
                lambda: self._make(client),
                accepted,
                ssl=self._context(),
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=1.0,
            )
            self._live.add(transport)
            try:
                await connection.over
            finally:
                self._live.discard(transport)
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            # a handshake that failed is the client's affair; the counters of TLS are elsewhere
            accepted.close()
        finally:
            self._gate.leave(client)


def packed(host: str) -> bytes:
    """An address as 16 octets, IPv4 mapped, without its scope."""
    address = ip_address(host.partition("%")[0])
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed
