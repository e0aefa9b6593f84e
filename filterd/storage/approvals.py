"""Requests for a second approver: what is asked for, by whom, until when, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from filterd.storage.database import Database, Row
from filterd.storage.revisions import ChangeText


@dataclass(frozen=True, slots=True)
class Approval:
    """One request. `request` is the method's own request, kept so that approving can apply it."""

    id: str
    method: str
    request: Mapping[str, Any]
    summary: tuple[str, str]
    changes: tuple[ChangeText, ...]
    author: str
    reason: str
    at: datetime
    expires: datetime
    state: str = "open"
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision_reason: str | None = None


class Approvals:
    """The store of approvals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, approval: Approval) -> None:
        """Store a request."""
        async with self._database.write() as transaction:
            await transaction.run(
                "INSERT INTO approvals VALUES (?,?,?,?,?,?,?,?,?,'open',NULL,NULL,NULL)",
                approval.id, approval.method, json.dumps(approval.request, ensure_ascii=False),
                json.dumps(approval.summary, ensure_ascii=False),
                json.dumps([[c.vi, c.en, c.weakens] for c in approval.changes]),
                approval.author, approval.reason, approval.at.isoformat(),
                approval.expires.isoformat(),
            )  # fmt: skip

    async def get(self, id: str) -> Approval | None:
        """One request, or None."""
        row = await self._database.row("SELECT * FROM approvals WHERE id = ?", id)
        return None if row is None else _approval(row)

    async def list(self, state: str | None, limit: int = 200) -> list[Approval]:
        """Requests in a state (None: any), the newest first."""
        rows = await self._database.rows(
            "SELECT * FROM approvals WHERE state = ?1 OR ?1 IS NULL ORDER BY at DESC LIMIT ?2",
            state, limit,
        )  # fmt: skip
        return [_approval(row) for row in rows]

    async def decide(self, id: str, state: str, by: str, reason: str, at: datetime) -> bool:
        """Close an open request; False when it was closed already (only one decision counts)."""
        async with self._database.write() as transaction:
            changed = await transaction.run(
                "UPDATE approvals SET state = ?, decided_by = ?, decision_reason = ?,"
                " decided_at = ? WHERE id = ? AND state = 'open'",
                state, by, reason, at.isoformat(), id,
            )  # fmt: skip
        return changed == 1

    async def reopen(self, id: str) -> None:
        """Take a decision back that could not be carried out."""
        async with self._database.write() as transaction:
            await transaction.run(
                "UPDATE approvals SET state = 'open', decided_by = NULL, decided_at = NULL,"
                " decision_reason = NULL WHERE id = ?",
                id,
            )

    async def expire(self, at: datetime) -> None:
        """Close what nobody decided in time."""
        async with self._database.write() as transaction:
            await transaction.run(
                "UPDATE approvals SET state = 'expired' WHERE state = 'open'"
                " AND julianday(expires) <= julianday(?)",
                at.isoformat(),
            )


def _approval(row: Row) -> Approval:
    decided = row["decided_at"]
    vi, en = json.loads(row["summary"])
    return Approval(
        row["id"], row["method"], json.loads(row["request"]), (vi, en),
        tuple(ChangeText(v, e, bool(w)) for v, e, w in json.loads(row["changes"])),
        row["author"], row["reason"], datetime.fromisoformat(row["at"]),
        datetime.fromisoformat(row["expires"]), row["state"], row["decided_by"],
        datetime.fromisoformat(decided) if decided else None, row["decision_reason"],
    )  # fmt: skip
