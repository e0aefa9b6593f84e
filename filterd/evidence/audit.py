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


def verify(entries: Iterable[Sealed]) -> Verified:
    """Walk the chain from its first entry."""
    previous, checked = "", 0
    for entry in entries:
        expected = seal(checked + 1, previous, entry.fields)
        if (entry.id, entry.previous, entry.seal) != (checked + 1, previous, expected):
            return Verified(False, checked, checked + 1)
        previous, checked = entry.seal, checked + 1
    return Verified(True, checked, None)
