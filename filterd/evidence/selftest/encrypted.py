"""The self-test over DoT and DoH: one connection for each tier's path, as a device keeps one.

A handshake for each of a thousand canaries would take a minute of the box's time every hour.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING

from filterd.config import Address
from filterd.evidence.selftest.judge import query
from filterd.evidence.selftest.paths import Lane, reachable

if TYPE_CHECKING:
    import httpx

SECONDS = 4.0
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Dot:
    """Questions over TLS (RFC 7858), one after the other on each path's own connection."""

    def __init__(self, context: ssl.SSLContext, listeners: Sequence[Address]) -> None:
        self._context, self._listeners = context, tuple(listeners)
        self._streams: dict[str, Stream] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def __call__(self, lane: Lane, name: str, qtype: str) -> bytes:
        async with self._turns.setdefault(lane.source, asyncio.Lock()):
            try:
                async with asyncio.timeout(SECONDS):
                    return await self._ask(lane, query(name, qtype, secrets.randbits(16)))
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                if (stream := self._streams.pop(lane.source, None)) is not None:
                    stream[1].close()
                if isinstance(error, asyncio.IncompleteReadError):
                    raise ConnectionResetError("closed before the answer was whole") from error
                raise

    async def close(self) -> None:
        """Hang up everywhere."""
        for _, writer in self._streams.values():
            writer.close()
        self._streams.clear()

    async def _ask(self, lane: Lane, wire: bytes) -> bytes:
        if lane.source not in self._streams:
            server = reachable(lane.source, self._listeners)
            self._streams[lane.source] = await asyncio.open_connection(
                server.host, server.port, ssl=self._context, local_addr=(lane.source, 0),
                server_hostname=server.host,
            )  # fmt: skip
        reader, writer = self._streams[lane.source]
        writer.write(len(wire).to_bytes(2, "big") + wire)
        await writer.drain()
        length = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(length)


class Doh:
    """Questions over HTTPS (RFC 8484); the id is 0, as §4.1 asks for."""

    def __init__(self, context: ssl.SSLContext, listeners: Sequence[Address]) -> None:
        self._context, self._listeners = context, tuple(listeners)
        self._sessions: dict[str, httpx.AsyncClient] = {}

    async def __call__(self, lane: Lane, name: str, qtype: str) -> bytes:
        import httpx  # 7 MiB, where DoH is served alone

        server = reachable(lane.source, self._listeners)
        try:
            reply = await self._session(lane.source).post(
                f"https://{server}/dns-query",
                content=query(name, qtype, 0),
                headers={"content-type": "application/dns-message"},
            )
        except httpx.TimeoutException as error:
            raise TimeoutError from error
        except httpx.HTTPError as error:
            raise ConnectionError(str(error)) from error
        return reply.content

    async def close(self) -> None:
        """Hang up everywhere."""
        for session in self._sessions.values():
            await session.aclose()
        self._sessions.clear()

    def _session(self, source: str) -> httpx.AsyncClient:
        import httpx

        if source not in self._sessions:
            transport = httpx.AsyncHTTPTransport(
                verify=self._context, http2=True, local_address=source, trust_env=False
            )
            self._sessions[source] = httpx.AsyncClient(transport=transport, timeout=SECONDS)
        return self._sessions[source]


def own_certificate(certificate: str) -> ssl.SSLContext:
    """Trusts exactly the certificate file that the listeners serve; its name does not matter here,
    because we ask by address."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
