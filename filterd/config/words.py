"""What one value of `filterd.yaml` may look like: text → value, ValueError says what is wrong."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from filterd.config.model import Address

_UPSTREAM = re.compile(
    r"(udp|tcp|tls)://(\[[0-9a-fA-F:.%a-z]+\]|[^\s/#:]+)(:\d+)?(#\S+)?|https://\S+"
)
_INTERFACE = re.compile(r"[A-Za-z0-9_.:@-]{1,15}")


def plain(text: str) -> str:
    """The text, without characters that no file name and no address has."""
    if any(each < " " or "\ud800" <= each <= "\udfff" for each in text):
        raise ValueError(f"{text!r} has a character that no setting may have")
    return text


def number_of(text: str) -> int:
    """The whole number, -1 for anything else; `isdigit` alone takes ² too."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def address(text: str) -> Address:
    """ADDRESS:PORT, IPv6 in brackets."""
    host, colon, port = text.rpartition(":")
    if not colon or not 0 <= number_of(port) <= 65535:
        raise ValueError(f"`{text}` is not ADDRESS:PORT, such as 127.0.0.1:5353 or [::1]:5353")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        parsed = ip_address(bare.partition("%")[0])
    except ValueError:
        raise ValueError(f"`{host}` is not an IP address") from None
    if (parsed.version == 6) != host.startswith("["):
        raise ValueError(f"`{text}`: write an IPv6 address in brackets, an IPv4 address without")
    return Address(bare, int(port))


def network(text: str) -> IPv4Network | IPv6Network:
    """A network without host bits."""
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"`{text}` is not a network: {error}") from None


def interface(text: str) -> str:
    """The name of a network interface (15 octets at most)."""
    if not _INTERFACE.fullmatch(text):
        raise ValueError(f"`{text}` is not the name of a network interface, such as eth1 or lan.20")
    return text


def upstream(text: str) -> str:
    """The text of an upstream; `upstream.endpoint` reads it."""
    if not _UPSTREAM.fullmatch(text):
        raise ValueError(
            f"`{text}` is not an upstream: udp://IP, tcp://IP, tls://IP#NAME or https://NAME/PATH"
        )
    return text
