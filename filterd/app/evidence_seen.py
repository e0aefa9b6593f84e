"""A day's cells out of what was seen: sums for the summary, taken before the day's marks die.

RAM only. Client marks are counted here and never kept: a cell holds three numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, timedelta

from filterd.app.seen import SeenLately
from filterd.evidence.suppression import Cell

Table = dict[str, dict[str, Cell]]


class DayCells:
    """The cells of today and yesterday. `today` gives the school's local date."""

    def __init__(self, seen: SeenLately, today: Callable[[], date]) -> None:
        self._seen, self._today = seen, today
        self._tables: dict[date, Table] = {}

    def take(self) -> None:
        """Sum up what was seen of today so far and of the day that ended; called every minute."""
        today = self._today()
        for day in (today - timedelta(days=1), today):
            table = _sum(self._seen.refusals(day))
            if table or day not in self._tables:
                self._tables[day] = table
        for old in sorted(self._tables)[:-2]:
            del self._tables[old]

    def table(self, day: date) -> Table:
        """tier → category → cell of that day; empty when it was not seen."""
        return self._tables.get(day, {})

    def category(self, day: date, category: str) -> Cell:
        """One category over all tiers, its bounds on the safe side."""
        whole = Cell()
        for cells in self.table(day).values():
            whole = whole.merged(cells.get(category, Cell()))
        return whole

    def places(self) -> Mapping[tuple[str, str | None, bool], int]:
        """How many sources are in each tier and segment."""
        return self._seen.places()


def _sum(refusals: Mapping[tuple[int, str, str], Counter[str]]) -> Table:
    marks: dict[tuple[str, str], Counter[str]] = {}
    for (_, tier, category), uses in refusals.items():
        marks.setdefault((tier, category), Counter()).update(uses)
    table: Table = {}
    for (tier, category), uses in marks.items():
        cell = Cell(uses.total(), len(uses), max(uses.values(), default=0))
        table.setdefault(tier, {})[category] = cell
    return table
