"""Stores of the evidence: exposure, self-test runs, signed summaries, month cells, releases.

Knows rows, not meanings: what they add up to is the room `evidence`'s business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from filterd.storage.database import Database, Row


@dataclass(frozen=True, slots=True)
class ExposureDay:
    """Milliseconds in the order enforcing, exposed, offline, paused."""

    day: str
    whole: tuple[int, int, int, int]
    service: tuple[int, int, int, int]
    jumps: int


@dataclass(frozen=True, slots=True)
class SelftestRun:
    """One run: counts per kind and the failures that were seen."""

    at: str
    day: str
    scheduled: int
    executed: int
    passed: int
    counts: Mapping[str, Any]
    failed: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class StoredSummary:
    """A signed summary with its fate; `sent_at` None: still in the spool."""

    counter: int
    day: str
    digest: str
    envelope: bytes
    sent_at: str | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class MonthCell:
    """One cell of a month as its safe bounds (`evidence.suppression.Cell`)."""

    tier: str
    category: str
    events: int
    clients: int
    top: int


class EvidenceStore:
    """Everything the evidence keeps, on the one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def exposure(self) -> tuple[tuple[int, int, int, int], str | None]:
        """The totals and the last tick as it was stored."""
        row = await self._database.row("SELECT * FROM exposure WHERE id = 1")
        if row is None:
            return (0, 0, 0, 0), None
        return (row["enforcing"], row["exposed"], row["offline"], row["paused"]), row["tick"]

    async def exposure_days(self, first: str, last: str) -> list[ExposureDay]:
        """Days in [first, last] that have anything."""
        rows = await self._database.rows(
            "SELECT * FROM exposure_days WHERE day BETWEEN ? AND ? ORDER BY day", first, last
        )
        return [
            ExposureDay(r["day"], _four(r, ""), _four(r, "s_"), r["jumps"]) for r in rows
        ]  # fmt: skip

    async def save_exposure(
        self, total: tuple[int, int, int, int], tick: str, days: Sequence[ExposureDay]
    ) -> None:
        """Totals and days in one transaction: a power cut leaves the old account or the new one."""
        async with self._database.write() as transaction:
            await transaction.run(
                "INSERT OR REPLACE INTO exposure VALUES (1, ?, ?, ?, ?, ?)", *total, tick
            )
            for day in days:
                await transaction.run(
                    "INSERT OR REPLACE INTO exposure_days VALUES (?,?,?,?,?,?,?,?,?,?)",
                    day.day, *day.whole, *day.service, day.jumps,
                )  # fmt: skip

    async def add_selftest(self, run: SelftestRun) -> None:
        """Keep a run."""
        async with self._database.write() as transaction:
            await transaction.run(
                "INSERT INTO selftests (at, day, scheduled, executed, passed, counts, failed)"
                " VALUES (?,?,?,?,?,?,?)",
                run.at, run.day, run.scheduled, run.executed, run.passed,
                json.dumps(run.counts), json.dumps(list(run.failed)),
            )  # fmt: skip

    async def selftests(self, day: str) -> list[SelftestRun]:
        """The runs of a local day, the oldest first."""
        rows = await self._database.rows("SELECT * FROM selftests WHERE day = ? ORDER BY id", day)
        return [_run(row) for row in rows]

    async def newest_selftest(self) -> SelftestRun | None:
        row = await self._database.row("SELECT * FROM selftests ORDER BY id DESC LIMIT 1")
        return None if row is None else _run(row)

    async def add_summary(self, summary: StoredSummary) -> None:
        """Keep a signed summary; StorageError when its counter is taken."""
        async with self._database.write() as transaction:
            await transaction.run(
                "INSERT INTO summaries (counter, day, digest, envelope) VALUES (?,?,?,?)",
                summary.counter, summary.day, summary.digest, summary.envelope,
            )  # fmt: skip

    async def newest_summary(self) -> StoredSummary | None:
        row = await self._database.row("SELECT * FROM summaries ORDER BY counter DESC LIMIT 1")
        return None if row is None else _summary(row)

    async def oldest_day(self) -> str | None:
        """The day of this device's first summary."""
        row = await self._database.row("SELECT min(day) AS day FROM summaries")
        return None if row is None else row["day"]

    async def summaries(self, first: str, last: str) -> list[StoredSummary]:
        """Those of the local days in [first, last], by counter."""
        rows = await self._database.rows(
            "SELECT * FROM summaries WHERE day BETWEEN ? AND ? ORDER BY counter", first, last
        )
        return [_summary(row) for row in rows]

    async def unsent(self, limit: int) -> list[StoredSummary]:
        """The oldest that the office has not taken yet."""
        rows = await self._database.rows(
            "SELECT * FROM summaries WHERE sent_at IS NULL ORDER BY counter LIMIT ?", limit
        )
        return [_summary(row) for row in rows]

    async def sent(self, counter: int, at: str, answer: str | None) -> None:
        """Note the office's answer; the summary itself never changes."""
        async with self._database.write() as transaction:
            await transaction.run(
                "UPDATE summaries SET sent_at = ?, answer = ? WHERE counter = ?",
                at, answer, counter,
            )  # fmt: skip

    async def keep_unsent(self, at: str, answer: str) -> None:
        """Everything unsent stays here for good, with the reason why."""
        async with self._database.write() as transaction:
            await transaction.run(
                "UPDATE summaries SET sent_at = ?, answer = ? WHERE sent_at IS NULL", at, answer
            )

    async def add_cells(self, month: str, day_cells: Sequence[MonthCell]) -> None:
        """Add one day's cells to the month: events and tops sum, clients keep the largest day."""
        async with self._database.write() as transaction:
            for cell in day_cells:
                await transaction.run(
                    "INSERT INTO month_cells VALUES (?,?,?,?,?,?)"
                    " ON CONFLICT (month, tier, category) DO UPDATE SET"
                    " events = events + excluded.events, top = top + excluded.top,"
                    " clients = max(clients, excluded.clients)",
                    month, cell.tier, cell.category, cell.events, cell.clients, cell.top,
                )  # fmt: skip

    async def cells(self, month: str) -> list[MonthCell]:
        rows = await self._database.rows("SELECT * FROM month_cells WHERE month = ?", month)
        return [
            MonthCell(r["tier"], r["category"], r["events"], r["clients"], r["top"]) for r in rows
        ]

    async def releases(self) -> dict[str, str]:
        """Month → digest of what went out."""
        rows = await self._database.rows("SELECT month, digest FROM releases")
        return {row["month"]: row["digest"] for row in rows}

    async def release(self, month: str, digest: str, body: str) -> None:
        """Note a release and forget the cells it was made from."""
        async with self._database.write() as transaction:
            await transaction.run("INSERT INTO releases VALUES (?,?,?)", month, digest, body)
            await transaction.run("DELETE FROM month_cells WHERE month <= ?", month)

    async def prune(self, selftests_before: str, summaries_before: str) -> None:
        """Retention: raw runs 30 days, summaries five years (requirements §5)."""
        async with self._database.write() as transaction:
            await transaction.run("DELETE FROM selftests WHERE day < ?", selftests_before)
            await transaction.run("DELETE FROM exposure_days WHERE day < ?", selftests_before)
            await transaction.run(
                "DELETE FROM summaries WHERE day < ? AND sent_at IS NOT NULL", summaries_before
            )


def _four(row: Row, prefix: str) -> tuple[int, int, int, int]:
    return (
        row[f"{prefix}enforcing"],
        row[f"{prefix}exposed"],
        row[f"{prefix}offline"],
        row[f"{prefix}paused"],
    )


def _run(row: Row) -> SelftestRun:
    return SelftestRun(
        row["at"], row["day"], row["scheduled"], row["executed"], row["passed"],
        json.loads(row["counts"]), json.loads(row["failed"]),
    )  # fmt: skip


def _summary(row: Row) -> StoredSummary:
    return StoredSummary(
        row["counter"], row["day"], row["digest"], bytes(row["envelope"]), row["sent_at"],
        row["answer"],
    )  # fmt: skip
