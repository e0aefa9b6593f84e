"""The supervisor's own question through the filter: the proof behind READY and WATCHDOG.

Two names of contract §5: a canary of a category that is locked for everyone must be refused, the
allowed canary must be answered with 192.0.2.1. Speaks raw DNS (RFC 1035 §4), parses only what it
needs, so a fault in the filter's own codec cannot hide itself.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct

from filterd.config import Address

BLOCKED_CANARY = "malware.canary.filterd.test"
ALLOWED_CANARY = "allowed.canary.filterd.test"
_ALLOWED_ANSWER = bytes((192, 0, 2, 1))
_SERVFAIL = 2


async def filter_works(address: Address, seconds: float = 1.0) -> bool:
    """Whether the filter at `address` blocks what it must and answers what it may, over UDP."""
    try:
        async with asyncio.timeout(seconds):
            blocked = await ask(address, BLOCKED_CANARY)
            allowed = await ask(address, ALLOWED_CANARY)
    except (OSError, TimeoutError):
        return False
    refused = blocked[3] & 0x0F != _SERVFAIL and _ALLOWED_ANSWER not in blocked
    return refused and allowed[3] & 0x0F == 0 and allowed.endswith(_ALLOWED_ANSWER)


async def ask(address: Address, name: str, qtype: int = 1) -> bytes:
    """One UDP question to the filter; the raw reply with the right id."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    number = secrets.randbits(16)
    labels = b"".join(bytes((len(part),)) + part.encode() for part in name.split("."))
    query = (
        struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, qtype, 1)
    )
    with socket.socket(family, socket.SOCK_DGRAM) as out:
        out.setblocking(False)
        out.connect(socket.getaddrinfo(_reachable(address.host), address.port, family)[0][4])
        await loop.sock_sendall(out, query)
        while True:
            reply = await loop.sock_recv(out, 4096)
            if len(reply) >= 12 and reply[:2] == query[:2]:
                return reply


def _reachable(host: str) -> str:
    """A wildcard listener is asked on loopback."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
