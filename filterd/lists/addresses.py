"""Address lists: which network holds an address. Sorted ranges, found by bisection."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from filterd.lists.entry import Address
from filterd.lists.precedence import ListMeta
from filterd.policy.verdict import Listing

Range = tuple[int, int, int]
"""First and last address of a stretch, and the number of the entry that covers it."""


class AddressTable:
    """Networks of all address lists; the longest prefix speaks, an exception takes it back."""

    def __init__(self, entries: Iterable[tuple[Address, ListMeta]]) -> None:
        self._entries = list(entries)
        self._ranges: dict[int, tuple[list[int], list[Range]]] = {}
        for version in (4, 6):
            ranges = _disjoint(
                [
                    (int(e.network.network_address), int(e.network.broadcast_address), number)
                    for number, (e, _) in enumerate(self._entries)
                    if e.network.version == version
                ]
            )
            self._ranges[version] = ([first for first, _, _ in ranges], ranges)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, packed: bytes) -> Listing | None:
        """The listing for a 4- or 16-octet address; None for none or an exception."""
        starts, ranges = self._ranges[4 if len(packed) == 4 else 6]
        value = int.from_bytes(packed, "big")
        at = bisect_right(starts, value) - 1
        if at < 0 or value > ranges[at][1]:
            return None
        entry, meta = self._entries[ranges[at][2]]
        if entry.exception:
            return None
        return Listing(meta.id, meta.category, str(entry.network), meta.file, entry.line or None)


def _disjoint(networks: list[Range]) -> list[Range]:
    """Stretches that do not overlap, each given to the narrowest network over it.

    Networks nest or are apart, so one stack of open networks is enough.
    """
    out: list[Range] = []
    stack: list[Range] = []
    position = 0

    def close(until: int) -> None:
        nonlocal position
        while stack and stack[-1][1] < until:
            _, last, number = stack.pop()
            if position <= last:
                out.append((position, last, number))
                position = last + 1
        if stack and position < until:
            out.append((position, until - 1, stack[-1][2]))

    for first, last, number in sorted(networks, key=lambda r: (r[0], -r[1], -r[2])):
        close(first)
        position = first
        stack.append((first, last, number))
    close(1 << 129)
    return out
