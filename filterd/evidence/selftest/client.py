"""One question over a real socket, bound to the source address of the tier that is tested."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address

import httpx

from filterd.config import Address
from filterd.evidence.selftest.judge import query
from filterd.evidence.selftest.paths import Lane, reachable

SECONDS = 4.0
"""Longer than the filter's own two seconds for a dead Internet, shorter than a user's patience."""
Exchange = Callable[[Lane, str, str], Awaitable[bytes]]


async def udp(path: Lane, name: str, qtype: str) -> bytes:
    """The first datagram from the server with our id; TimeoutError or OSError otherwise."""
    loop = asyncio.get_running_loop()
    number = secrets.randbits(16)
    with _socket(path, socket.SOCK_DGRAM) as out:
        out.connect((path.server.host, path.server.port))
        async with asyncio.timeout(SECONDS):
            await loop.sock_sendall(out, query(name, qtype, number))
            while True:
                wire = await loop.sock_recv(out, 4096)
                if wire[:2] == number.to_bytes(2, "big"):
                    return wire


async def tcp(path: Lane, name: str, qtype: str) -> bytes:
    """The same over TCP (RFC 7766)."""
    return await _stream(path, path.server, query(name, qtype, secrets.randbits(16)), None)


def dot(context: ssl.SSLContext, listeners: Sequence[Address]) -> Exchange:
    """The same over TLS (RFC 7858)."""

    async def exchange(path: Lane, name: str, qtype: str) -> bytes:
        server = reachable(path.source, listeners)
        return await _stream(path, server, query(name, qtype, secrets.randbits(16)), context)

    return exchange


def doh(context: ssl.SSLContext, listeners: Sequence[Address]) -> Exchange:
    """The same over HTTPS (RFC 8484); the id is 0, as §4.1 asks for."""

    async def exchange(path: Lane, name: str, qtype: str) -> bytes:
        server = reachable(path.source, listeners)
        transport = httpx.AsyncHTTPTransport(
            verify=context, http2=True, local_address=path.source, trust_env=False
        )
        try:
            async with httpx.AsyncClient(transport=transport, timeout=SECONDS) as session:
                reply = await session.post(
                    f"https://{server}/dns-query",
                    content=query(name, qtype, 0),
                    headers={"content-type": "application/dns-message"},
                )
        except httpx.TimeoutException as error:
            raise TimeoutError from error
        except httpx.HTTPError as error:
            raise ConnectionError(str(error)) from error
        return reply.content

    return exchange


async def _stream(
    path: Lane, server: Address, wire: bytes, context: ssl.SSLContext | None
) -> bytes:
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection(
            server.host,
            server.port,
            ssl=context,
            local_addr=(path.source, 0),
            server_hostname=None if context is None else server.host,
        )
        try:
            writer.write(len(wire).to_bytes(2, "big") + wire)
            await writer.drain()
            length = int.from_bytes(await reader.readexactly(2), "big")
            return await reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("closed before the answer was whole") from error
        finally:
            writer.close()


def own_certificate(certificate: str) -> ssl.SSLContext:
    """Trusts exactly the certificate file that the listeners serve; its name does not matter here,
    because we ask by address."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _socket(path: Lane, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ip_address(path.source).version == 6 else socket.AF_INET
    out = socket.socket(family, kind)
    try:
        out.setblocking(False)
        out.bind((path.source, 0))
    except OSError:
        out.close()
        raise
    return out
