"""Where a list may be fetched from: addresses of the public Internet, and nothing else.

A name is resolved once, every address of it is checked, and the connection goes to a checked
address, so that a name which answers differently the second time gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from filterd.errors import ListError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")


@dataclass(frozen=True, slots=True)
class Place:
    """A checked socket address."""

    family: int
    address: tuple[str, int]


def places(host: str, port: int, allow_loopback: bool = False) -> tuple[Place, ...]:
    """Addresses to connect to for `host`; ListError if it has none or one that is not public.

    One private address among public ones is refused, too: no list is published that way.
    `allow_loopback` is for tests, which serve their lists on 127.0.0.1.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ListError(f"{host}: cannot be resolved: {error}") from None
    out: list[Place] = []
    for family, _, _, _, address in found:
        text = str(address[0])
        if not is_public(text, allow_loopback):
            raise ListError(f"{host} is at {text}, which is no public address: refused")
        out.append(Place(family, (text, port)))
    return tuple(dict.fromkeys(out))


def is_public(text: str, allow_loopback: bool = False) -> bool:
    """Whether an address is one of the public Internet, also when it wraps an IPv4 address."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if allow_loopback and address.is_loopback:
        return True
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None and address in _SIX_TO_FOUR:
            inner = address.sixtofour
        if inner is not None:
            return is_public(str(inner), allow_loopback)
    return address.is_global and not address.is_multicast
