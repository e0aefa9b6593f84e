"""Who asks: an address or a device key becomes a tier.

Precedence (docs/architecture.md §4): DoH/DoT token → hardware address → longest prefix →
the tier for unknown sources. Only the socket's peer address counts, never anything in a message.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping

from filterd.policy.model import Network, Policy
from filterd.policy.tiers import strictest
from filterd.policy.verdict import Placement

_MAPPED = bytes(10) + b"\xff\xff"


def packed(host: str) -> bytes:
    """4 or 16 octets of a textual address; a scope is cut, an IPv4-mapped address is IPv4."""
    if ":" not in host:
        return socket.inet_pton(socket.AF_INET, host)
    octets = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    return octets[12:] if octets.startswith(_MAPPED) else octets


class Segments:
    """The networks and devices of one policy; immutable but for the neighbour table."""

    def __init__(self, policy: Policy, neighbours: Mapping[bytes, str] | None = None) -> None:
        self._unknown = Placement(strictest(policy), None, known=False)
        self._devices = {d.key: Placement(d.tier) for d in policy.devices}
        self._neighbours = dict(neighbours or {})
        self._networks: dict[int, _Family] = {4: _Family(32), 16: _Family(128)}
        for segment in policy.segments:
            width = segment.network.max_prefixlen // 8
            self._networks[width].add(segment.network, Placement(segment.tier, segment.id))

    def place(self, address: bytes, device_key: str | None = None) -> Placement:
        """Where a packed address (4 or 16 octets) or the holder of a device key belongs.

        A device keeps the segment of the address it asks from, so that overrides and exams
        of a segment hold for it too.
        """
        family = self._networks[len(address)]
        placement = family.longest(int.from_bytes(address, "big"))
        key = device_key if device_key in self._devices else self._neighbours.get(address)
        device = self._devices.get(key) if key is not None else None
        if device is not None:
            segment = placement.segment if placement is not None else None
            return Placement(device.tier, segment)
        return placement or self._unknown


class _Family:
    """Networks of one address family by prefix length, the longest first."""

    __slots__ = ("_bits", "by_length")

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self.by_length: dict[int, dict[int, Placement]] = {}

    def add(self, network: Network, placement: Placement) -> None:
        shift = self._bits - network.prefixlen
        self.by_length.setdefault(shift, {})[int(network.network_address) >> shift] = placement
        self.by_length = dict(sorted(self.by_length.items()))

    def longest(self, address: int) -> Placement | None:
        for shift, networks in self.by_length.items():
            if (found := networks.get(address >> shift)) is not None:
                return found
        return None
