"""Address lists: which networks hold an address. Columns of numbers, found by bisection.

The columns are sections of the index file, mapped like the names, so that a list of a million
networks costs a worker nothing; the school's own lists have the same columns in memory.
"""

from __future__ import annotations

import ipaddress
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from filterd.lists.entry import Address
from filterd.lists.precedence import ListMeta
from filterd.policy.verdict import Listing

_COLUMNS: Mapping[str, Literal["Q", "I"]] = {
    "high": "Q", "low": "Q", "inner": "I", "outer": "I", "line": "I", "what": "I",
}  # fmt: skip
SECTIONS = tuple(f"a{version}.{column}" for version in (4, 6) for column in _COLUMNS)
"""Names of the columns in the index file."""
Stretches: TypeAlias = "tuple[memoryview[int], memoryview[int], memoryview[int]]"
"""First addresses (high and low half), network + 1 or 0."""
_HALF = (1 << 64) - 1
Column: TypeAlias = "array[int] | memoryview[int]"
_EXCEPTION = 1 << 8
_LIST_BITS = 9


@dataclass(slots=True)
class _Columns:
    """One family. A stretch begins at `high << 64 | low` and belongs to network `inner` - 1 (0: to
    none); a network lies in network `outer` - 1; `what` is its length, exception bit and list."""

    high: array[int] = field(default_factory=lambda: array("Q"))
    low: array[int] = field(default_factory=lambda: array("Q"))
    inner: array[int] = field(default_factory=lambda: array("I"))
    outer: array[int] = field(default_factory=lambda: array("I"))
    line: array[int] = field(default_factory=lambda: array("I"))
    what: array[int] = field(default_factory=lambda: array("I"))

    def begin(self, first: int, number: int) -> None:
        """From `first` on the network `number` - 1 is the narrowest; it replaces an empty one."""
        if self.high and (self.high[-1] << 64 | self.low[-1]) == first:
            self.inner[-1] = number
            return
        self.high.append(first >> 64)
        self.low.append(first & _HALF)
        self.inner.append(number)


def columns(entries: Iterable[tuple[int, Address]]) -> dict[str, Column]:
    """The sections for networks, each with the number of its list."""
    found = list(entries)
    made: dict[str, Column] = {}
    for version in (4, 6):
        mine = [
            (int(e.network.network_address), e.network.prefixlen, -number, e)
            for number, e in found
            if e.network.version == version
        ]
        family = _family(mine, 32 if version == 4 else 128)
        made |= {f"a{version}.{column}": getattr(family, column) for column in _COLUMNS}
    return made


def _family(entries: list[tuple[int, int, int, Address]], bits: int) -> _Columns:
    """Stretches that do not overlap. Networks nest or are apart, so one stack is enough."""
    made, stack = _Columns(), list[tuple[int, int]]()

    def close(until: int) -> None:
        while stack and stack[-1][0] < until:
            last, _ = stack.pop()
            if last + 1 < 1 << bits:  # behind the last address of all nothing begins
                made.begin(last + 1, stack[-1][1] if stack else 0)

    for first, length, list_number, entry in sorted(entries, key=lambda e: e[:3]):
        close(first)
        made.outer.append(stack[-1][1] if stack else 0)
        made.line.append(entry.line)
        exception = _EXCEPTION if entry.exception else 0
        made.what.append(-list_number << _LIST_BITS | exception | length)
        stack.append((first + (1 << bits - length) - 1, len(made.what)))
        made.begin(first, len(made.what))
    close(1 << bits + 1)
    return made


class _Family:
    """The columns of one family, to be asked."""

    def __init__(self, sections: Mapping[str, Column], version: int) -> None:
        self.bits = 32 if version == 4 else 128
        self._high, self._low, self._inner, self.outer, self.line, self.what = (
            memoryview(sections[f"a{version}.{column}"]).cast("B").cast(kind)
            for column, kind in _COLUMNS.items()
        )

    @property
    def stretches(self) -> Stretches:
        """Where they begin (two halves of a number), and the network of each + 1, 0: none."""
        return self._high, self._low, self._inner

    def narrowest(self, value: int) -> int:
        """The narrowest network that holds the address, as its number + 1; 0 for none."""
        if self.bits == 32:
            at = bisect_right(self._low, value)
        else:
            at = bisect_right(range(len(self._low)), value, key=self._start)
        return self._inner[at - 1] if at else 0

    def _start(self, at: int) -> int:
        return self._high[at] << 64 | self._low[at]


class AddressTable:
    """Networks of all address lists."""

    def __init__(self, sections: Mapping[str, Column], lists: Sequence[ListMeta]) -> None:
        self._lists = lists
        self._families = {4: _Family(sections, 4), 16: _Family(sections, 6)}

    def __len__(self) -> int:
        return sum(len(family.what) for family in self._families.values())

    @property
    def stretches(self) -> tuple[Stretches, Stretches]:
        """Of IPv4 and of IPv6, in rising order: which addresses are in a network at all."""
        return self._families[4].stretches, self._families[16].stretches

    def find(self, packed: bytes) -> tuple[Listing, ...]:
        """All rules about a 4- or 16-octet address: of each category the longest prefix first,
        and among equals an exception first."""
        family = self._families[len(packed)]
        value = int.from_bytes(packed, "big")
        number = family.narrowest(value)
        if not number:
            return ()
        found: list[tuple[int, bool, int, Listing]] = []
        while number:
            what = family.what[number - 1]
            length, exception = what & 0xFF, bool(what & _EXCEPTION)
            meta = self._lists[what >> _LIST_BITS]
            network = _network(packed, length)
            line = family.line[number - 1] or None
            listing = Listing(meta.id, meta.category, network, meta.file, line, exception)
            found.append((-length, not exception, what >> _LIST_BITS, listing))
            number = family.outer[number - 1]
        found.sort(key=lambda each: each[:3])
        return tuple(each[3] for each in found)


def _network(packed: bytes, length: int) -> str:
    return str(ipaddress.ip_network((packed, length), strict=False))
