"""Traffic counts that may be kept: by tier and quarter hour or day, by category and day.

What too few clients took part in is stored as NULL, so the number is gone, not hidden.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from filterd.storage.database import Database

QUARTER, DAY = 900, 86400
KEEP = {QUARTER: timedelta(days=7), DAY: timedelta(days=400)}


@dataclass(frozen=True, slots=True)
class Cell:
    """One tier in one step of time; None: too few clients."""

    start: datetime
    tier: str
    queries: int | None
    blocked: int | None


@dataclass(frozen=True, slots=True)
class CategoryCell:
    """One category of one tier on one local day (ISO date); None: too few clients."""

    day: str
    tier: str
    category: str
    blocked: int | None


class Traffic:
    """The store of traffic counts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, step: int, cells: Iterable[Cell], categories: Iterable[CategoryCell] = ()
    ) -> None:
        """Store cells in place of earlier ones of the same time; what is too old goes."""
        async with self._database.write() as transaction:
            newest = None
            for c in cells:
                newest = c.start
                await transaction.run(
                    "INSERT OR REPLACE INTO traffic VALUES (?,?,?,?,?)",
                    step, c.start.isoformat(), c.tier, c.queries, c.blocked,
                )  # fmt: skip
            for each in categories:
                await transaction.run(
                    "INSERT OR REPLACE INTO traffic_categories VALUES (?,?,?,?)",
                    each.day, each.tier, each.category, each.blocked,
                )  # fmt: skip
            if newest is not None:
                old = (newest - KEEP[step]).isoformat()
                await transaction.run(
                    "DELETE FROM traffic WHERE step = ? AND julianday(start) < julianday(?)",
                    step, old,
                )  # fmt: skip
                oldest_day = (newest - KEEP[DAY]).date().isoformat()
                await transaction.run("DELETE FROM traffic_categories WHERE day < ?", oldest_day)

    async def cells(self, step: int, since: datetime) -> list[Cell]:
        """Cells from `since` on, in order."""
        rows = await self._database.rows(
            "SELECT * FROM traffic WHERE step = ? AND julianday(start) >= julianday(?)"
            " ORDER BY start",
            step, since.isoformat(),
        )  # fmt: skip
        return [
            Cell(datetime.fromisoformat(r["start"]), r["tier"], r["queries"], r["blocked"])
            for r in rows
        ]

    async def categories(self, since: str) -> list[CategoryCell]:
        """Categories by day from a local day on."""
        rows = await self._database.rows("SELECT * FROM traffic_categories WHERE day >= ?", since)
        return [CategoryCell(r["day"], r["tier"], r["category"], r["blocked"]) for r in rows]
