"""Counts over other nouns' tables that a day's summary needs. Reads only, returns counts only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from filterd.storage.database import Database


@dataclass(frozen=True, slots=True)
class Decided:
    """One decided ticket as three times and whether it was an unblock request that was upheld."""

    type: str
    opened: datetime
    due: datetime
    decided: datetime
    accepted: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """Policy revisions of a stretch of time; `alone` are weakening ones nobody else approved."""

    total: int
    complete: int
    weakening: int
    alone: tuple[int, ...]


class EvidenceFacts:
    """Questions to the tickets, the revisions and the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def decided(self, first: datetime, last: datetime) -> list[Decided]:
        """Tickets decided in [first, last)."""
        rows = await self._database.rows(
            "SELECT type, opened, due, decided_at, decision FROM tickets"
            " WHERE decided_at IS NOT NULL AND decided_at >= ? AND decided_at < ?",
            first.isoformat(), last.isoformat(),
        )  # fmt: skip
        return [
            Decided(
                row["type"],
                datetime.fromisoformat(row["opened"]),
                datetime.fromisoformat(row["due"]),
                datetime.fromisoformat(row["decided_at"]),
                row["decision"] == "accepted",
            )
            for row in rows
        ]

    async def overdue(self, at: datetime) -> int:
        """Open tickets past their due time."""
        row = await self._database.row(
            "SELECT count(*) AS n FROM tickets WHERE state = 'open' AND due < ?", at.isoformat()
        )
        return int(row["n"]) if row else 0

    async def changes(self, first: datetime, last: datetime) -> Changes:
        """Complete: actor, reason and both hashes are there. The first revision has no before."""
        rows = await self._database.rows(
            "SELECT number, author, reason, hash, previous_hash, weakens, approver FROM revisions"
            " WHERE at >= ? AND at < ?",  # without the documents: 2,000 of them are hundreds of MB
            first.isoformat(), last.isoformat(),
        )  # fmt: skip
        complete = sum(
            bool(row["author"] and row["reason"] and row["hash"])
            and (bool(row["previous_hash"]) or row["number"] == 1)
            for row in rows
        )
        weakening = [row for row in rows if row["weakens"]]
        alone = tuple(int(row["number"]) for row in weakening if not row["approver"])
        return Changes(len(rows), complete, len(weakening), alone)

    async def audit_head(self) -> str:
        """The newest seal of the audit chain."""
        row = await self._database.row("SELECT seal FROM audit ORDER BY id DESC LIMIT 1")
        return str(row["seal"]) if row else ""

    async def acts(self, action: str, first: datetime, last: datetime) -> int:
        """How often an action was written to the audit log."""
        row = await self._database.row(
            "SELECT count(*) AS n FROM audit WHERE action = ? AND at >= ? AND at < ?",
            action, first.isoformat(), last.isoformat(),
        )  # fmt: skip
        return int(row["n"]) if row else 0

    async def oldest_closed_ticket(self) -> datetime | None:
        """When the oldest kept closed ticket was closed (kept 12 months, requirements §5)."""
        row = await self._database.row(
            "SELECT min(decided_at) AS at FROM tickets WHERE state = 'closed'"
        )
        return datetime.fromisoformat(row["at"]) if row and row["at"] else None

    async def beyond_retention(self, now: datetime) -> int:
        """Records that should be gone: raw runs after 42 days, notes of closed tickets."""
        row = await self._database.row(
            "SELECT (SELECT count(*) FROM selftests WHERE day < ?)"
            " + (SELECT count(*) FROM exposure_days WHERE day < ?)"
            " + (SELECT count(*) FROM tickets WHERE state = 'closed' AND note IS NOT NULL) AS n",
            *[(now - timedelta(days=42)).date().isoformat()] * 2,
        )
        return int(row["n"]) if row else 0

    async def forget_tickets(self, before: datetime) -> int:
        """Delete tickets closed before that time; hand-offs keep office, reference and time."""
        async with self._database.write() as transaction:
            return await transaction.run(
                "DELETE FROM tickets WHERE state = 'closed' AND decided_at < ?"
                " AND handed_at IS NULL",
                before.isoformat(),
            )
