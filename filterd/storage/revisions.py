"""Policy revisions: append-only, numbered from 1, each linked to the hash of the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from filterd.storage.database import Database, Row, Transaction


@dataclass(frozen=True, slots=True)
class ChangeText:
    """One semantic difference in words of both languages."""

    vi: str
    en: str
    weakens: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """Who changes the policy and why; `approver` is the second person of a weakening change."""

    author: str
    reason: str
    at: datetime
    approver: str | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """A stored copy of the whole policy document; `files` maps file names to YAML."""

    number: int
    edit: Edit
    files: Mapping[str, str]
    hash: str
    previous_hash: str
    weakens: bool
    changes: tuple[ChangeText, ...]


def document_hash(files: Mapping[str, str]) -> str:
    """The hash of a document, independent of the order of its files."""
    canonical = json.dumps(dict(files), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class Revisions:
    """The store of revisions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self) -> Revision | None:
        """The running revision; None before the first import."""
        row = await self._database.row("SELECT * FROM revisions ORDER BY number DESC LIMIT 1")
        return None if row is None else _revision(row)

    async def newest_number(self) -> int:
        """The running revision's number, without reading its document; 0 before the first."""
        row = await self._database.row("SELECT max(number) AS n FROM revisions")
        return int(row["n"] or 0) if row else 0

    async def get(self, number: int) -> Revision | None:
        """One revision, or None."""
        row = await self._database.row("SELECT * FROM revisions WHERE number = ?", number)
        return None if row is None else _revision(row)

    async def page(self, before: int | None, limit: int) -> list[Revision]:
        """Revisions from the newest (or the one below `before`) downwards."""
        rows = await self._database.rows(
            "SELECT * FROM revisions WHERE number < ? ORDER BY number DESC LIMIT ?",
            before if before is not None else 1 << 62,
            limit,
        )
        return [_revision(row) for row in rows]

    async def append(
        self,
        transaction: Transaction,
        edit: Edit,
        files: Mapping[str, str],
        changes: tuple[ChangeText, ...],
    ) -> Revision:
        """Store the next revision; the caller's transaction makes it stand or fall as a whole."""
        last = await transaction.rows(
            "SELECT number, hash FROM revisions ORDER BY number DESC LIMIT 1"
        )
        number = last[0]["number"] + 1 if last else 1
        previous = last[0]["hash"] if last else ""
        made = Revision(
            number, edit, dict(files), document_hash(files), previous,
            any(change.weakens for change in changes), changes,
        )  # fmt: skip
        await transaction.run(
            "INSERT INTO revisions VALUES (?,?,?,?,?,?,?,?,?,?)",
            number, edit.at.isoformat(), edit.author, edit.approver, edit.reason,
            json.dumps(made.files, ensure_ascii=False), made.hash, previous, int(made.weakens),
            json.dumps([[c.vi, c.en, c.weakens] for c in changes], ensure_ascii=False),
        )  # fmt: skip
        return made


def _revision(row: Row) -> Revision:
    edit = Edit(row["author"], row["reason"], datetime.fromisoformat(row["at"]), row["approver"])
    changes = tuple(
        ChangeText(vi, en, bool(weakens)) for vi, en, weakens in json.loads(row["changes"])
    )
    return Revision(
        row["number"], edit, json.loads(row["files"]), row["hash"], row["previous_hash"],
        bool(row["weakens"]), changes,
    )  # fmt: skip
