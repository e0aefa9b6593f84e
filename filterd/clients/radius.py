"""RADIUS accounting (RFC 2866): which hardware address was given which address by the Wi-Fi.

Only for devices that neither the neighbour table nor a lease shows. Reads the hardware address and
the address, nothing about persons: User-Name is never looked at. Knows no policy.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import cast

from filterd.clients.presence import Table, hardware_address

SOURCE = "radius"
ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE = 4, 5
_HEADER = struct.Struct("!BBH16s")
_FRAMED_ADDRESS, _CALLING_STATION, _STATUS, _FRAMED_IPV6 = 8, 31, 40, 168
_STOP = 2
_WHOLE_SITE = (7, 8)
"""Acct-Status-Type Accounting-On and Accounting-Off: the access point forgot every session."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an accounting request says; `addresses` and `key` may be missing."""

    status: int
    key: str | None
    addresses: tuple[str, ...]


def read(packet: bytes, secret: bytes) -> Report | None:
    """The report of a request that knows the secret; None for anything else.

    RFC 2866 §3: Request Authenticator = MD5(code, id, length, 16 zero octets, attributes, secret).
    """
    if not 20 <= len(packet) <= 4096:
        return None
    code, _, length, authenticator = _HEADER.unpack_from(packet)
    if code != ACCOUNTING_REQUEST or not 20 <= length <= len(packet):
        return None
    body = packet[20:length]
    expected = _md5(packet[:4] + bytes(16) + body + secret)
    if not hmac.compare_digest(expected, authenticator):
        return None
    status, key, addresses = 0, None, []
    for kind, value in _attributes(body):
        if kind == _STATUS and len(value) == 4:
            status = int.from_bytes(value, "big")
        elif kind == _CALLING_STATION:
            # "AA-BB-CC-DD-EE-FF", sometimes with ":SSID" behind it (RFC 3580 §3.21).
            key = hardware_address(value.decode("ascii", "replace")[:17])
        elif (kind, len(value)) in ((_FRAMED_ADDRESS, 4), (_FRAMED_IPV6, 16)):
            addresses.append(str(ip_address(value)))
    return Report(status, key, tuple(addresses))


def response(packet: bytes, secret: bytes) -> bytes:
    """The acknowledgement of a request that was read (RFC 2866 §4.2)."""
    head = struct.pack("!BBH", ACCOUNTING_RESPONSE, packet[1], 20)
    return head + _md5(head + packet[4:20] + secret)


def apply(report: Report, table: Table) -> None:
    """Put a report into the table."""
    if report.status in _WHOLE_SITE:
        table.replace(SOURCE, {})
        return
    for address in report.addresses:
        if report.status == _STOP:
            table.forget(SOURCE, address)
        elif report.key is not None:
            table.learn(SOURCE, address, report.key)


class Listener(asyncio.DatagramProtocol):
    """The UDP side; a request that does not know the secret gets no answer."""

    def __init__(self, secret: bytes, table: Table) -> None:
        self._secret = secret
        self._table = table
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's: the socket is open."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """asyncio's: a datagram came."""
        report = read(data, self._secret)
        if report is not None and self._transport is not None:
            apply(report, self._table)
            self._transport.sendto(response(data, self._secret), addr)


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each attribute; ends at the first that does not fit (RFC 2865 §5)."""
    at = 0
    while at + 2 <= len(body):
        kind, length = body[at], body[at + 1]
        if length < 2 or at + length > len(body):
            return
        yield kind, body[at + 2 : at + length]
        at += length


def _md5(octets: bytes) -> bytes:
    return hashlib.md5(octets, usedforsecurity=False).digest()
