"""Which resolvers the DHCP servers of a network hand out: asked like a new device would ask.

One DHCPDISCOVER (RFC 2131 §3.1) per interface; nothing is accepted, so nothing is leased. Finds
servers that run elsewhere, such as the router's own. Needs root (port 68, one interface).
"""

from __future__ import annotations

import secrets
import socket
import struct
import time
from dataclasses import dataclass
from ipaddress import IPv4Address

WAIT_S = 2.5
_COOKIE = b"\x63\x82\x53\x63"
_HEAD = struct.Struct("!4BI2H4s4s4s4s16s64s128s4s")
_BOOTREQUEST, _BOOTREPLY, _ETHERNET, _BROADCAST = 1, 2, 1, 0x8000
_PAD, _END, _TYPE, _SERVER, _RESOLVERS, _WISHES = 0, 255, 53, 54, 6, 55
_DISCOVER, _OFFER = 1, 2


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server offered: who it is, and the resolvers that a device would use."""

    server: str
    resolvers: tuple[str, ...]


def discover(number: int, hardware: bytes) -> bytes:
    """The question of a device with this hardware address (RFC 2131 §2, options RFC 2132)."""
    none = bytes(4)
    head = _HEAD.pack(_BOOTREQUEST, _ETHERNET, 6, 0, number, 0, _BROADCAST, none, none, none, none,
                      hardware.ljust(16, b"\0"), b"", b"", _COOKIE)  # fmt: skip
    return head + bytes((_TYPE, 1, _DISCOVER, _WISHES, 1, _RESOLVERS, _END))


def offer(datagram: bytes, number: int) -> Offer | None:
    """The offer in a datagram; None when it is none, or not an answer to our question."""
    if len(datagram) < _HEAD.size:
        return None
    head = _HEAD.unpack_from(datagram)
    if head[0] != _BOOTREPLY or head[4] != number or head[-1] != _COOKIE:
        return None
    options = _options(datagram[_HEAD.size :])
    if options.get(_TYPE) != bytes((_OFFER,)):
        return None
    server, listed = options.get(_SERVER, b""), options.get(_RESOLVERS, b"")
    resolvers = tuple(str(IPv4Address(listed[i : i + 4])) for i in range(0, len(listed) & ~3, 4))
    return Offer(str(IPv4Address(server)) if len(server) == 4 else "?", resolvers)


def _options(octets: bytes) -> dict[int, bytes]:
    """Options by code, parts of a long one put together (RFC 3396)."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(octets) and octets[at] != _END:
        if octets[at] == _PAD:
            at += 1
            continue
        if at + 2 > len(octets) or at + 2 + octets[at + 1] > len(octets):
            break
        value = octets[at + 2 : at + 2 + octets[at + 1]]
        found[octets[at]] = found.get(octets[at], b"") + value
        at += 2 + len(value)
    return found


def offers(interface: str, seconds: float = WAIT_S) -> tuple[Offer, ...]:
    """Every offer that comes on the interface in that time; OSError when it cannot be asked."""
    number = secrets.randbits(32)
    hardware = b"\x06" + secrets.token_bytes(5)  # made up: the locally administered bit is set
    found: dict[Offer, None] = {}
    end = time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        link.bind(("", 68))
        link.sendto(discover(number, hardware), ("255.255.255.255", 67))
        while (left := end - time.monotonic()) > 0:
            link.settimeout(left)
            try:
                heard = offer(link.recv(2048), number)
            except TimeoutError:
                break
            if heard is not None:
                found[heard] = None
    return tuple(found)
