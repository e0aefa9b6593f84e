"""The kernel's words about neighbours: netlink messages read and one request written. PURE.

Only what a neighbour table takes (rtnetlink(7), netlink(7), linux/neighbour.h); a library for all
of netlink costs the supervisor 8 MiB.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

NEIGHBOUR_GROUP = 0x4
"""RTMGRP_NEIGH (linux/rtnetlink.h): every change of the table."""
VALID = 0x02 | 0x04 | 0x08 | 0x10 | 0x80
"""States that hold a hardware address (rtnetlink(7)): reachable, stale, delay, probe, permanent."""
_ERROR, _DONE = 2, 3
_NEW, _GONE, _GET = 28, 29, 30
_REQUEST, _DUMP, _INTERRUPTED = 0x1, 0x300, 0x10
_DESTINATION, _LINK_ADDRESS = 1, 2
_HEADER = struct.Struct("=IHHII")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_ATTRIBUTE = struct.Struct("=HH")
_NUMBER = struct.Struct("=i")
_FAMILIES = {4: socket.AF_INET, 16: socket.AF_INET6}


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An address on the wire and whose it is; `link` None: nobody's any more, or not known yet."""

    address: str
    link: bytes | None


@dataclass(frozen=True, slots=True)
class Done:
    """The whole table was told; `torn`: it changed meanwhile and may have holes."""

    torn: bool


def request(number: int) -> bytes:
    """Ask for the whole table, of every family and interface."""
    body = _NEIGHBOUR.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    length = _HEADER.size + len(body)
    return _HEADER.pack(length, _GET, _REQUEST | _DUMP, number, 0) + body


def read(datagram: bytes) -> Iterator[Neighbour | Done]:
    """What one datagram says, in order; other messages are left out. OSError: the kernel refuses,
    or the datagram is none of its."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind, flags, _, _ = _HEADER.unpack_from(datagram, at)
        if not _HEADER.size <= length <= len(datagram) - at:
            raise OSError("a netlink message of a wrong length")
        body = datagram[at + _HEADER.size : at + length]
        if kind in (_NEW, _GONE):
            found = _neighbour(body, kind == _GONE)
            if found is not None:
                yield found
        elif kind == _DONE:
            yield Done(bool(flags & _INTERRUPTED))
        elif kind == _ERROR and len(body) >= _NUMBER.size:
            (number,) = _NUMBER.unpack_from(body)
            if number:
                raise OSError(-number, "netlink")
        at += _aligned(length)


def _neighbour(body: bytes, gone: bool) -> Neighbour | None:
    """One neighbour; None for an entry without an address of IPv4 or IPv6."""
    if len(body) < _NEIGHBOUR.size:
        raise OSError("a neighbour message of a wrong length")
    family, _, state, _, _ = _NEIGHBOUR.unpack_from(body)
    told = dict(_attributes(body[_NEIGHBOUR.size :]))
    address = told.get(_DESTINATION, b"")
    if _FAMILIES.get(len(address)) != family:
        return None
    link = None if gone or not state & VALID else told.get(_LINK_ADDRESS)
    return Neighbour(socket.inet_ntop(family, address), link)


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if not _ATTRIBUTE.size <= length <= len(body) - at:
            raise OSError("a netlink attribute of a wrong length")
        yield kind, body[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)


def _aligned(length: int) -> int:
    """Messages and attributes begin at multiples of four (NLMSG_ALIGN, RTA_ALIGN)."""
    return (length + 3) & ~3
