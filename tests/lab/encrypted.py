"""DoH and DoT listeners of filterd on loopback in front of a handler that a test can read."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from dnslib import QTYPE, RR, A, DNSRecord

from filterd.listen.accept import Acceptor, Gate, Serve
from filterd.resolve.via import Via
from tests.lab.lies import base

NAME = "dns.school.example"


@dataclass
class FakeHandler:
    """Answers A 192.0.2.1 with TTL 77; `late.…` after 50 ms, `drop.…` never."""

    seen: list[tuple[str, bytes, Via]] = field(default_factory=list)

    def try_answer(
        self, wire: bytes, address: bytes, now: float, via: Via, token: object = None
    ) -> bytes | None:
        record = DNSRecord.parse(wire)
        name = str(record.q.qname)
        self.seen.append((name, address, via))
        reply = base(record)
        reply.add_answer(RR(record.q.qname, QTYPE.A, ttl=77, rdata=A("192.0.2.1")))
        octets = bytes(reply.pack())
        if name.startswith("late."):
            asyncio.get_running_loop().call_later(0.05, via.send, octets, token)
            return None
        return None if name.startswith("drop.") else octets


@contextlib.asynccontextmanager
async def listening(serve: Serve, gate: Gate | None = None) -> AsyncIterator[int]:
    """Accepts on a free port of 127.0.0.1; yields the port."""
    counted = Gate() if gate is None else gate
    with socket.create_server(("127.0.0.1", 0), backlog=256) as sock:
        acceptor = Acceptor(sock, counted, serve)
        try:
            yield int(sock.getsockname()[1])
        finally:
            await acceptor.close()


async def kdig(port: int, way: str, ca_file: object) -> list[bytes]:
    """What Debian's kdig is told about A of www.example (`way`: "+tls", "+https", "+https-get")."""
    child = await asyncio.create_subprocess_exec(
        "kdig", "@127.0.0.1", "-p", str(port), way, f"+tls-ca={ca_file}",
        f"+tls-hostname={NAME}", "www.example", "A", "+short",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _err = await asyncio.wait_for(child.communicate(), 20)
    return out.split()


def client_context(ca_file: object, *alpn: str) -> ssl.SSLContext:
    """What a strict client would use."""
    context = ssl.create_default_context(cafile=str(ca_file))
    context.set_alpn_protocols(list(alpn))
    return context
