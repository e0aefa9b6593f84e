"""A filter of forty lines on real sockets, to try the self-test against good and bad filters."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Network

from dnslib import EDNS0, QTYPE, RCODE, RR, A, DNSRecord, EDNSOption

from filterd.config import Address
from tests.lab.running import free_ports

Answer = Callable[[str, str, str, str], DNSRecord | None]
"""(source, name, qtype, transport) → reply without id, or None for silence; see `blocked`."""


def blocked(code: int = 15) -> DNSRecord:
    reply = DNSRecord()
    reply.header.rcode = RCODE.NXDOMAIN
    reply.add_ar(EDNS0(udp_len=1232, opts=[EDNSOption(15, code.to_bytes(2, "big"))]))
    return reply


def failed(code: int) -> DNSRecord:
    reply = blocked(code)
    reply.header.rcode = RCODE.SERVFAIL
    return reply


def plain(rcode: int = RCODE.NOERROR, **records: str) -> DNSRecord:
    reply = DNSRecord()
    reply.header.rcode = rcode
    for kind, value in records.items():
        reply.add_answer(*RR.fromZone(f"x.test. 10 {kind} {value}"))
    return reply


def address(value: str) -> DNSRecord:
    reply = DNSRecord()
    reply.add_answer(RR("x.test", QTYPE.A, rdata=A(value), ttl=10))
    return reply


def source_tier(source: str, tiers: dict[str, str]) -> str | None:
    """The tier whose loopback segment holds the source."""
    from ipaddress import IPv4Address

    return next(
        (tier for net, tier in tiers.items() if IPv4Address(source) in IPv4Network(net)), None
    )


@asynccontextmanager
async def serve(answer: Answer) -> AsyncIterator[Address]:
    """The filter on 127.0.0.1 (any loopback source reaches it), UDP and TCP on one free port."""

    def reply(wire: bytes, source: str, transport: str) -> bytes | None:
        asked = DNSRecord.parse(wire)
        name, qtype = str(asked.q.qname).rstrip("."), str(QTYPE[asked.q.qtype])
        made = answer(source, name, qtype, transport)
        if made is None:
            return None
        made.header.id = asked.header.id
        made.header.qr = 1
        made.questions = asked.questions
        return bytes(made.pack())

    class Datagrams(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, wire: bytes, source: tuple[str, int]) -> None:
            if (out := reply(wire, source[0], "udp")) is not None:
                self.transport.sendto(out, source)  # type: ignore[attr-defined]

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(2), "big")
        source = writer.get_extra_info("peername")[0]
        out = reply(await reader.readexactly(length), source, "tcp")
        if out is not None:
            writer.write(len(out).to_bytes(2, "big") + out)
        writer.close()

    port = free_ports(1)[0]
    listener = socket.create_server(("127.0.0.1", port))
    server = await asyncio.start_server(stream, sock=listener)
    loop = asyncio.get_running_loop()
    datagrams, _ = await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", port))
    try:
        yield Address("127.0.0.1", port)
    finally:
        datagrams.close()
        server.close()
        await server.wait_closed()
