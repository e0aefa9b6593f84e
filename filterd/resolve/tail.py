"""The debug view: the latest queries, in RAM, while someone who may look is looking.

Filled only between `tail` being switched on and its end; a bounded ring, never written.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import NamedTuple

from filterd.metrics import layout
from filterd.resolve.ports import Clock
from filterd.resolve.source import Source
from filterd.wire.names import from_wire
from filterd.wire.query import Query

ROWS = 1000


class Row(NamedTuple):
    """One query as the view shows it; `at` is None while the clock is not trusted."""

    id: int
    at: datetime | None
    client: str
    name: str
    qtype: int
    tier: str
    outcome: str
    category: str | None


class Tail:
    """The latest queries until `until` (monotonic)."""

    def __init__(self, until: float, clock: Clock) -> None:
        self.until = until
        self._clock = clock
        self._rows: deque[Row] = deque(maxlen=ROWS)
        self._next = 1

    def add(self, query: Query, source: Source, outcome: int, category: str | None) -> None:
        """Note one answered query."""
        self._rows.append(
            Row(
                self._next,
                self._clock(),
                source.asker.address or "",
                from_wire(query.name_wire),
                query.qtype,
                source.rules.tier_id,
                layout.OUTCOMES[outcome],
                category,
            )
        )
        self._next += 1

    def rows(self, after: int) -> tuple[Row, ...]:
        """Rows with an id above `after`, the oldest first."""
        return tuple(row for row in self._rows if row.id > after)
