"""Who may ask at all: the networks of `allow_from`, for every transport alike.

Only the socket's peer address counts; nothing in a message can change it (CVE-2026-4893 class).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from filterd.resolve.source import unmapped


class Admission:
    """The allowed networks; no network at all allows nobody."""

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network | str]) -> None:
        self._prefixes: dict[int, dict[int, set[int]]] = {4: {}, 16: {}}
        for each in networks:
            network = ip_network(each) if isinstance(each, str) else each
            width = network.max_prefixlen // 8
            shift = network.max_prefixlen - network.prefixlen
            prefix = int(network.network_address) >> shift
            self._prefixes[width].setdefault(shift, set()).add(prefix)

    def allows(self, address: bytes) -> bool:
        """Whether a packed address (4 octets, or 16 also IPv4-mapped) may ask."""
        address = unmapped(address)
        number = int.from_bytes(address, "big")
        return any(
            number >> shift in prefixes for shift, prefixes in self._prefixes[len(address)].items()
        )
