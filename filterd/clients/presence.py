"""Who has which address now: sources put together into the table that workers place clients by.

Held in RAM only and never written. Only devices that the policy names go in: everybody else is
placed by segment, so nothing about them is kept here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

SOURCES = ("neighbours", "radius", "leases")
"""Strongest first: what the wire says now, who signed in, who was given the address."""
LIMIT = 65_536
"""Addresses per source; further ones are not taken (a flood of addresses must not fill the RAM)."""


class Table(Protocol):
    """What a source reports to."""

    def learn(self, source: str, address: str, key: str) -> None:
        """`address` belongs to the hardware address `key` now."""

    def forget(self, source: str, address: str) -> None:
        """`address` belongs to nobody now."""

    def replace(self, source: str, rows: Mapping[str, str]) -> None:
        """Everything that the source knows now."""


def hardware_address(text: str) -> str | None:
    """The form of the policy, "aa:bb:cc:dd:ee:ff", of any usual spelling; None if it is none."""
    digits = "".join(c for c in text.lower() if c not in ":-. ")
    if len(digits) != 12 or any(c not in "0123456789abcdef" for c in digits):
        return None
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def randomised(key: str) -> bool:
    """Whether the address was made up by the device (IEEE 802, locally administered bit)."""
    return bool(int(key[:2], 16) & 2)


class Presence:
    """The one holder of the table. `known`: the hardware addresses that the policy names now.

    A made-up address counts only if the policy names it: it may be another one tomorrow, and its
    device then falls back to its segment.
    """

    def __init__(
        self,
        known: Callable[[], frozenset[str]],
        changed: Callable[[dict[str, str]], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._known = known
        self._changed = changed
        self._clock = clock
        self._rows: dict[str, dict[str, str]] = {source: {} for source in SOURCES}
        self._told: dict[str, str] = {}
        self._last: dict[str, float] = {}

    def learn(self, source: str, address: str, key: str) -> None:
        """One address of one source; tells the workers if it is of a known device."""
        rows = self._rows[source]
        if len(self._last) >= LIMIT and key not in self._last:
            self._last.clear()
        self._last[key] = self._clock()
        if rows.get(address) == key or (address not in rows and len(rows) >= LIMIT):
            return
        rows[address] = key
        self.tell()

    def forget(self, source: str, address: str) -> None:
        """The source takes an address back."""
        if self._rows[source].pop(address, None) is not None:
            self.tell()

    def replace(self, source: str, rows: Mapping[str, str]) -> None:
        """The source says everything anew."""
        self._rows[source] = dict(list(rows.items())[:LIMIT])
        self.tell()

    def last(self, key: str) -> float | None:
        """When the wire or RADIUS last told of this device (`clock`); None: only a lease does."""
        return self._last.get(key)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Every address with its hardware address, the strongest source first."""
        for source in SOURCES:
            yield from self._rows[source].items()

    def tell(self) -> None:
        """Hand on the table if it is not what was handed on last (also after a policy change)."""
        table = self.table()
        if table != self._told:
            self._told = table
            self._changed(dict(table))

    def table(self) -> dict[str, str]:
        """Address → hardware address of the devices that the policy names."""
        known = self._known()
        table: dict[str, str] = {}
        for source in reversed(SOURCES):
            for address, key in self._rows[source].items():
                if key in known:
                    table[address] = key
                else:
                    # A stronger source says that it is somebody else's now.
                    table.pop(address, None)
        return table
