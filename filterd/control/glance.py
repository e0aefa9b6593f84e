"""The lists at a glance, as status and portal show them; their owner is reached by a Protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ListFact:
    """One list in use; `checked` and `changed` None: it is shipped, there is no source to ask.
    `unique` entries are in no other list, `dropped` lines could not be honoured."""

    id: str
    title: Mapping[str, str]
    state: str
    entries: int
    checked: datetime | None
    changed: datetime | None = None
    unique: int = 0
    dropped: int = 0


class Lists(Protocol):
    """Who knows the lists."""

    def refresh(self) -> Awaitable[tuple[ListFact, ...]]:
        """The lists in use now."""


def at_a_glance(facts: Sequence[ListFact], now: datetime) -> dict[str, Any]:
    """Totals for the overview; `oldest_seconds` None where nothing has a source."""
    ages = [(now - fact.checked).total_seconds() for fact in facts if fact.checked is not None]
    states = [fact.state for fact in facts]
    return {
        "total": len(facts),
        "stale": sum(state in ("stale", "failed", "never") for state in states),
        "quarantined": states.count("quarantined"),
        "oldest_seconds": max(ages, default=None),
    }


def shown(facts: Sequence[ListFact], now: datetime) -> list[dict[str, Any]]:
    """Titles and ages, as pupils may see them."""
    return [
        {"title": fact.title,
         "age_seconds": (now - fact.checked).total_seconds() if fact.checked else None}
        for fact in facts if fact.entries
    ]  # fmt: skip
