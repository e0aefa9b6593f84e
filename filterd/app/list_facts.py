"""What status, portal and metrics tell about the lists, read in a thread and kept for a scrape."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from filterd.control.glance import ListFact
from filterd.lists.library import Library
from filterd.lists.status import status
from filterd.metrics.reading import Kind, Reading, Sample


class ListFacts:
    """The lists in use, as they were at the last `refresh`."""

    def __init__(self, library: Library, clock: Callable[[], datetime]) -> None:
        self._library = library
        self._clock = clock
        self._facts: tuple[ListFact, ...] = ()
        self._categories: Mapping[str, int] = {}

    async def refresh(self) -> tuple[ListFact, ...]:
        """Read the state of the lists now; lists that are switched off are left out."""
        found = await asyncio.to_thread(status, self._library, self._clock())
        self._facts = tuple(_fact(item) for item in found["items"] if item["state"] != "off")
        self._categories = found["categories"]
        return self._facts

    def readings(self) -> Iterator[Reading]:
        """What `filterd lists status` tells about each list, safe for the office."""
        now = self._clock()
        known: tuple[tuple[str, str, Callable[[ListFact], float | None]], ...] = (
            ("list_entries", "Entries in use", lambda f: f.entries),
            ("list_unique_entries", "Entries that no other list has", lambda f: f.unique),
            ("list_dropped_lines", "Lines that cannot be honoured", lambda f: f.dropped),
            ("list_age_seconds", "Time since the list was last checked at its source",
             lambda f: _since(f.checked, now)),
            ("list_changed_age_seconds", "Time since a new version of the list was taken",
             lambda f: _since(f.changed, now)),
        )  # fmt: skip
        for name, text, value in known:
            samples = tuple(
                Sample({"list": fact.id}, found)
                for fact in self._facts
                if (found := value(fact)) is not None
            )
            yield Reading(name, text, Kind.GAUGE, samples, local=False)
        totals = tuple(Sample({"category": id}, n) for id, n in sorted(self._categories.items()))
        text = "Entries in use for a category, all its lists together"
        yield Reading("list_category_entries", text, Kind.GAUGE, totals, local=False)


def _since(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else (now - at).total_seconds()


def _fact(item: dict[str, Any]) -> ListFact:
    checked, changed = (
        datetime.fromisoformat(item[key]) if item.get(key) else None
        for key in ("checked", "changed")
    )
    return ListFact(
        str(item["id"]), item["title"], str(item["state"]), int(item.get("entries") or 0),
        checked, changed, int(item.get("unique") or 0), sum(item.get("dropped", {}).values()),
    )  # fmt: skip
