"""PURE. The audit chain: every entry is sealed together with the seal of the one before it.

Whoever changes, removes or reorders an entry breaks every later seal. The chain proves order and
wholeness, not truth; its newest seal is signed into the daily summary, so that rewriting the whole
chain shows as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class Sealed(Protocol):
    """What the chain reads of an entry."""

    @property
    def id(self) -> int:
        """Position in the chain, counted from 1 without gaps."""

    @property
    def previous(self) -> str:
        """The seal of the entry before; empty for the first."""

    @property
    def seal(self) -> str:
        """The seal of this entry."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Everything the entry says, in a fixed order."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The outcome: how many entries were checked and the first that does not fit, if any."""

    ok: bool
    checked: int
    first_bad: int | None


def seal(number: int, previous: str, fields: tuple[str, ...]) -> str:
    """SHA-256 over the canonical JSON of position, previous seal and fields, in hexadecimal."""
    text = json.dumps([number, previous, *fields], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Walk:
    """The chain from its first entry on, some at a time: the log of years is never in memory."""

    __slots__ = ("_previous", "found")

    def __init__(self) -> None:
        self._previous = ""
        self.found = Verified(True, 0, None)

    def take(self, entries: Iterable[Sealed]) -> Verified:
        """What is found with these entries, which follow those before."""
        for entry in entries:
            number = self.found.checked + 1
            expected = seal(number, self._previous, entry.fields)
            if (entry.id, entry.previous, entry.seal) != (number, self._previous, expected):
                self.found = Verified(False, number - 1, number)
            if not self.found.ok:
                break
            self.found, self._previous = Verified(True, number, None), entry.seal
        return self.found
