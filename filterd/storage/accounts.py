"""Accounts of school staff, their second factor and recovery codes. Never a pupil's."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from filterd.storage.database import Database, Row, Value


@dataclass(frozen=True, slots=True)
class Account:
    """One member of staff. `password` is an argon2id hash; `segments` limit a teacher."""

    id: str
    name: str
    title: str
    role: str
    segments: tuple[str, ...]
    language: str
    password: str
    must_change: bool
    totp: bool
    locked: bool
    created: datetime
    last_login: datetime | None


@dataclass(frozen=True, slots=True)
class Totp:
    """The sealed secret in use, the one being set up, and the last time step that was used."""

    secret: bytes | None
    pending: bytes | None
    step: int


_COLUMNS = {"title", "role", "segments", "language", "password", "must_change", "locked",
            "last_login", "totp_secret", "totp_pending", "totp_step"}  # fmt: skip


class Accounts:
    """The store of accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> list[Account]:
        """Every account by name."""
        return [
            _account(r) for r in await self._database.rows("SELECT * FROM accounts ORDER BY name")
        ]

    async def count(self) -> int:
        """How many accounts there are."""
        row = await self._database.row("SELECT count(*) AS n FROM accounts")
        return int(row["n"]) if row else 0

    async def get(self, account: str) -> Account | None:
        """By id."""
        row = await self._database.row("SELECT * FROM accounts WHERE id = ?", account)
        return None if row is None else _account(row)

    async def named(self, name: str) -> Account | None:
        """By sign-in name, case-insensitive."""
        row = await self._database.row("SELECT * FROM accounts WHERE name = ?", name)
        return None if row is None else _account(row)

    async def add(self, account: Account) -> None:
        """Store a new account; StorageError when the name is taken."""
        async with self._database.write() as transaction:
            await transaction.run(
                "INSERT INTO accounts (id, name, title, role, segments, language, password,"
                " must_change, locked, created) VALUES (?,?,?,?,?,?,?,?,?,?)",
                account.id, account.name, account.title, account.role,
                json.dumps(account.segments), account.language, account.password,
                int(account.must_change), int(account.locked), account.created.isoformat(),
            )  # fmt: skip

    async def set(self, account: str, **columns: Value) -> None:
        """Change columns of one account (JSON for segments, ISO for times, 0/1 for flags)."""
        unknown = columns.keys() - _COLUMNS
        assert not unknown, unknown
        names = ", ".join(f"{name} = ?" for name in columns)
        async with self._database.write() as transaction:
            sql = f"UPDATE accounts SET {names} WHERE id = ?"  # noqa: S608 - names are _COLUMNS
            await transaction.run(sql, *columns.values(), account)

    async def remove(self, account: str) -> None:
        """Delete the account with its sessions, tokens and codes."""
        async with self._database.write() as transaction:
            await transaction.run("DELETE FROM accounts WHERE id = ?", account)

    async def totp(self, account: str) -> Totp:
        """The second factor's state."""
        row = await self._database.row(
            "SELECT totp_secret, totp_pending, totp_step FROM accounts WHERE id = ?", account
        )
        return Totp(None, None, 0) if row is None else Totp(*row.values())

    async def use_totp_step(self, account: str, step: int) -> bool:
        """Mark a time step as used; False when it or a later one was used before (replay)."""
        async with self._database.write() as transaction:
            changed = await transaction.run(
                "UPDATE accounts SET totp_step = ? WHERE id = ? AND totp_step < ?",
                step, account, step,
            )  # fmt: skip
        return changed == 1

    async def set_recovery_codes(self, account: str, hashes: Iterable[str]) -> None:
        """Replace the recovery codes."""
        async with self._database.write() as transaction:
            await transaction.run("DELETE FROM recovery_codes WHERE account = ?", account)
            for each in hashes:
                await transaction.run("INSERT INTO recovery_codes VALUES (?, ?)", account, each)

    async def use_recovery_code(self, account: str, hash: str) -> bool:
        """Spend a code; False when there is no such code (any more)."""
        async with self._database.write() as transaction:
            changed = await transaction.run(
                "DELETE FROM recovery_codes WHERE account = ? AND hash = ?", account, hash
            )
        return changed == 1


def _account(row: Row) -> Account:
    last = row["last_login"]
    return Account(
        row["id"], row["name"], row["title"], row["role"], tuple(json.loads(row["segments"])),
        row["language"], row["password"], bool(row["must_change"]),
        row["totp_secret"] is not None, bool(row["locked"]),
        datetime.fromisoformat(row["created"]), datetime.fromisoformat(last) if last else None,
    )  # fmt: skip
