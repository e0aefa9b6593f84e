"""`/metrics` and `/metrics/local` over a small HTTP/1.1 server of our own: GET, and hang up.

`/metrics` may be handed to the office; `/metrics/local` tells of traffic and asks for a bearer
token when it does not come over loopback. Bounded in time, size and connections.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from collections.abc import Callable, Iterable

from filterd.metrics.reading import Reading

_SECONDS = 5.0
_MAX_HEAD_BYTES = 8192
_MAX_CONNECTIONS = 32
_TEXT = "text/plain; charset=utf-8"
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
Gather = Callable[[], Iterable[Reading]]


class MetricsEndpoint:
    """Serves the readings that `gather` gives at the moment of the scrape."""

    def __init__(self, gather: Gather, token: str) -> None:
        self._gather = gather
        self._token = token
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self, host: str, port: int) -> int:
        """Listen; gives the port (asked for as 0: the kernel's choice). Raises OSError."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_MAX_HEAD_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Take no more connections."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            async with asyncio.timeout(_SECONDS):
                writer.write(await self._answer(reader, writer))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        if self._open > _MAX_CONNECTIONS:
            return _response("503 Service Unavailable", _TEXT, b"busy\n")
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        parts = head[0].split(" ")
        if len(parts) != 3 or parts[0] != "GET":
            return _response("405 Method Not Allowed", _TEXT, b"GET only\n")
        path = parts[1].partition("?")[0]
        if path == "/metrics":
            return _response("200 OK", _PROMETHEUS, await self._told(local=False))
        if path != "/metrics/local":
            return _response("404 Not Found", _TEXT, b"/metrics or /metrics/local\n")
        if not self._may_see(str(writer.get_extra_info("peername")[0]), head[1:]):
            return _response("401 Unauthorized", _TEXT, b"a bearer token is needed\n")
        return _response("200 OK", _PROMETHEUS, await self._told(local=True))

    async def _told(self, *, local: bool) -> bytes:
        """Everything, as text; the library comes with the first scrape, beside the loop: many
        schools are never asked."""
        await asyncio.to_thread(__import__, "filterd.metrics.collector")
        from filterd.metrics.collector import exposition

        return exposition(self._gather(), local=local)

    def _may_see(self, peer: str, headers: list[str]) -> bool:
        if ipaddress.ip_address(peer.partition("%")[0]).is_loopback:
            return True
        for line in headers:
            name, _, value = line.partition(":")
            if name.strip().lower() == "authorization":
                scheme, _, token = value.strip().partition(" ")
                return scheme.lower() == "bearer" and hmac.compare_digest(
                    token.strip().encode(), self._token.encode()
                )
        return False


def _response(status: str, kind: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
