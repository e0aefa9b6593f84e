"""What was asked lately, in aggregate and in RAM alone: evidence about the filter, not pupils.

Names with the number of uses and a 64-bit sketch of distinct clients; refusals by tier, category
and client mark. A client is only ever a mark under a key that is drawn anew each day and never
written; nothing in here is written anywhere. Bounded: what is rarest is forgotten first.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from filterd.metrics import layout
from filterd.wire.names import from_wire

NAMES = 4096
REFUSALS = 16_384


@dataclass(frozen=True, slots=True)
class Report:
    """Names as (name, uses, sketch), refusals as (tier, category, client mark, uses)."""

    names: tuple[tuple[str, int, int], ...]
    refusals: tuple[tuple[str, str, str, int], ...]
    forgotten: int


class Names(Protocol):
    """Names with uses and sketches; the native ones are `listen.drain.open_names`'s."""

    def name(self, name_wire: bytes, uses: int, tags: int, /) -> None:
        """A lower-case wire name was asked for so often, by clients with these places set."""

    def take(self) -> tuple[list[tuple[bytes, int, int]], int]:
        """The `NAMES` names used most, among equals those that came first, and how many others were
        forgotten; begins anew. In between twice as many are held at most."""


class PythonNames:
    """The specification of `Names`."""

    def __init__(self) -> None:
        self._names: dict[bytes, list[int]] = {}
        self._forgotten = 0

    def name(self, name_wire: bytes, uses: int, tags: int, /) -> None:
        found = self._names.get(name_wire)
        if found is None:
            if len(self._names) >= 2 * NAMES:
                self._prune()
            self._names[name_wire] = [uses, tags]
            return
        found[0] += uses
        found[1] |= tags

    def take(self) -> tuple[list[tuple[bytes, int, int]], int]:
        self._prune()
        found = [(name, uses, tags) for name, (uses, tags) in self._names.items()], self._forgotten
        self._names, self._forgotten = {}, 0
        return found

    def _prune(self) -> None:
        """Keep the names used most."""
        if len(self._names) <= NAMES:
            return
        # plain numbers, nearly all of them 1: sorted in a tenth of the time that pairs take
        uses = sorted([found[0] for found in self._names.values()], reverse=True)
        least = uses[NAMES - 1]
        spare = NAMES - sum(1 for each in uses[:NAMES] if each > least)
        kept: dict[bytes, list[int]] = {}
        for name, found in self._names.items():
            if found[0] > least:
                kept[name] = found
            elif found[0] == least and spare:
                spare -= 1
                kept[name] = found
        self._forgotten += len(self._names) - len(kept)
        self._names = kept


class Seen:
    """The aggregates of one worker since they were last taken."""

    def __init__(self, key: bytes, names: Names | None = None) -> None:
        self._key = key
        self.names: Names = PythonNames() if names is None else names
        self._refusals: dict[tuple[str, int, bytes], int] = {}
        self._marks: dict[bytes, bytes] = {}

    def tag(self, address: bytes) -> int:
        """The place (0-63) of a client in sketches."""
        return self._mark(address)[0] & 63

    def name(self, name_wire: bytes, uses: int, tags: int) -> None:
        """A lower-case wire name was asked for so often, by clients with these places set."""
        self.names.name(name_wire, uses, tags)

    def blocked(self, tier: str, category: int, address: bytes, uses: int) -> None:
        """A client of a tier was refused so often for a category (its number in the layout)."""
        key = (tier, category, self._mark(address))
        if key not in self._refusals and len(self._refusals) >= REFUSALS:
            # who comes late is counted together: the sums by tier and category stay right
            key = (tier, category, b"")
        self._refusals[key] = self._refusals.get(key, 0) + uses

    def take(self, key: bytes) -> Report:
        """Everything since the last time; from now on marks are made with `key`."""
        names, forgotten = self.names.take()
        report = Report(
            tuple((from_wire(name), uses, tags) for name, uses, tags in names),
            tuple(
                (tier, _category(number), mark.hex(), uses)
                for (tier, number, mark), uses in self._refusals.items()
            ),
            forgotten,
        )
        self._key = key
        self._refusals, self._marks = {}, {}
        return report

    def _mark(self, address: bytes) -> bytes:
        mark = self._marks.get(address)
        if mark is None:
            if len(self._marks) >= REFUSALS:
                self._marks.clear()
            mark = self._marks[address] = mark_of(address, self._key)
        return mark


def _category(number: int) -> str:
    known = layout.STANDARD_CATEGORIES
    return known[number] if number < len(known) else "other"


def mark_of(address: bytes, key: bytes) -> bytes:
    """The mark of a 16-octet address under a day's key."""
    return hashlib.blake2b(address, digest_size=8, key=key).digest()
