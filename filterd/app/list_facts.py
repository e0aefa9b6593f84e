"""What status, portal and metrics tell about the lists, read in a thread and kept for a scrape."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
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

    async def refresh(self) -> tuple[ListFact, ...]:
        """Read the state of the lists now; lists that are switched off are left out."""
        found = await asyncio.to_thread(status, self._library, self._clock())
        self._facts = tuple(_fact(item) for item in found["items"] if item["state"] != "off")
        return self._facts

    def readings(self) -> Iterator[Reading]:
        """filterd_list_entries and filterd_list_age_seconds, safe for the office."""
        now = self._clock()
        entries = tuple(Sample({"list": f.id}, f.entries) for f in self._facts)
        ages = tuple(
            Sample({"list": f.id}, (now - f.checked).total_seconds())
            for f in self._facts if f.checked is not None
        )  # fmt: skip
        yield Reading("list_entries", "Entries in use", Kind.GAUGE, entries, local=False)
        text = "Time since the list was last checked at its source"
        yield Reading("list_age_seconds", text, Kind.GAUGE, ages, local=False)


def _fact(item: dict[str, Any]) -> ListFact:
    checked = item.get("checked")
    return ListFact(
        str(item["id"]), item["title"], str(item["state"]), int(item.get("entries") or 0),
        datetime.fromisoformat(checked) if checked else None,
    )  # fmt: skip
