"""Accepting connections one by one, so that their number is bounded before TLS has begun.

Owns the limits of reliability: so many in all, so many per client. Knows no DNS and no HTTP.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from filterd.tasks import spawn

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


Serve = Callable[[socket.socket, bytes], Awaitable[None]]
"""Serves one accepted socket of a client (16 octets) until it is over; closes it."""


class Acceptor:
    """Serves one listening socket until `close`."""

    def __init__(self, sock: socket.socket, gate: Gate, serve: Serve) -> None:
        sock.setblocking(False)
        self._sock, self._gate, self._serve_one = sock, gate, serve
        self._live: set[asyncio.Task[None]] = set()
        self._task = spawn(self._accept(), "accept")

    async def close(self) -> None:
        """Accept no more and drop what is open; the socket is its opener's to close."""
        tasks = [self._task, *self._live]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

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
                task = spawn(self._serve(accepted, client), "serve a client")
                self._live.add(task)
                task.add_done_callback(self._live.discard)
            else:
                accepted.close()

    async def _serve(self, accepted: socket.socket, client: bytes) -> None:
        try:
            await self._serve_one(accepted, client)
        except (OSError, TimeoutError):
            # a handshake that failed (ssl.SSLError is one of these) is the client's affair
            pass
        finally:
            accepted.close()
            self._gate.leave(client)


def packed(host: str) -> bytes:
    """An address as 16 octets, IPv4 mapped, without its scope."""
    address = ip_address(host.partition("%")[0])
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed
