"""Small things that survive a restart: values by key, and each account's draft of the policy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from filterd.storage.database import Database


class Values:
    """JSON values by key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str) -> Any:
        """The value, or None."""
        row = await self._database.row("SELECT value FROM settings WHERE key = ?", key)
        return None if row is None else json.loads(row["value"])

    async def set(self, key: str, value: Any) -> None:
        """Store a value; None removes it."""
        async with self._database.write() as transaction:
            if value is None:
                await transaction.run("DELETE FROM settings WHERE key = ?", key)
                return
            text = json.dumps(value, ensure_ascii=False)
            await transaction.run("INSERT OR REPLACE INTO settings VALUES (?, ?)", key, text)


@dataclass(frozen=True, slots=True)
class Draft:
    """An edit that is not applied: the whole document and the revision it was made from."""

    files: Mapping[str, str]
    base: int
    at: datetime


class Drafts:
    """One draft for each account."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, account: str) -> Draft | None:
        """The account's draft, or None."""
        row = await self._database.row("SELECT * FROM drafts WHERE account = ?", account)
        if row is None:
            return None
        return Draft(json.loads(row["files"]), row["base"], datetime.fromisoformat(row["at"]))

    async def set(self, account: str, draft: Draft) -> None:
        """Replace the account's draft."""
        async with self._database.write() as transaction:
            await transaction.run(
                "INSERT OR REPLACE INTO drafts VALUES (?, ?, ?, ?)",
                account, draft.base, json.dumps(dict(draft.files), ensure_ascii=False),
                draft.at.isoformat(),
            )  # fmt: skip

    async def drop(self, account: str) -> None:
        """Forget the account's draft."""
        async with self._database.write() as transaction:
            await transaction.run("DELETE FROM drafts WHERE account = ?", account)
