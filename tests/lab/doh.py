"""What DoH clients say, well and ill, in both versions of HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable

import h2.config
import h2.connection
import httpx
from dnslib import DNSRecord

from tests.lab.certificates import Authority
from tests.lab.encrypted import NAME, client_context

TYPE = "application/dns-message"
HEADERS = {"content-type": TYPE, "accept": TYPE}
Client = Callable[[bool], httpx.AsyncClient]


def query(name: str = "www.example", ident: int = 0) -> bytes:
    record = DNSRecord.question(name)
    record.header.id = ident
    return bytes(record.pack())


def answers(octets: bytes) -> list[str]:
    return [str(rr.rdata) for rr in DNSRecord.parse(octets).rr]


def http1_post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: {NAME}\r\ncontent-type: {TYPE}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def open_h2(
    authority: Authority, port: int
) -> tuple[h2.connection.H2Connection, asyncio.StreamReader, asyncio.StreamWriter]:
    tls = client_context(authority.file, "h2")
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=NAME)
    http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    http.initiate_connection()
    writer.write(http.data_to_send())
    http.receive_data(await reader.read(65536))
    return http, reader, writer


def h2_headers(length: int | None = None) -> list[tuple[str, str]]:
    headers = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", NAME),
        (":path", "/dns-query"),
        ("content-type", TYPE),
    ]
    return headers if length is None else [*headers, ("content-length", str(length))]


async def is_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
        async with asyncio.timeout(5):
            while await reader.read(65536):
                pass
            writer.close()
            return True
    writer.close()
    return isinstance(reader.exception(), ConnectionError | ssl.SSLError)
