"""One question over a real socket, bound to the source address of the tier that is tested."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from filterd.evidence.selftest.judge import query
from filterd.evidence.selftest.paths import Lane

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
    server, wire = path.server, query(name, qtype, secrets.randbits(16))
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection(
            server.host, server.port, local_addr=(path.source, 0)
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
