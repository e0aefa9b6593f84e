"""Who is signed in: sessions and API tokens (only hashes of their secrets), and wrong sign-ins."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from filterd.storage.database import Database, Row


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser; `proven` tells whether the second factor was given."""

    id: str
    hash: str
    account: str
    since: datetime
    last: datetime
    address: str
    agent: str
    proven: bool


@dataclass(frozen=True, slots=True)
class Token:
    """An API token with the permissions it is limited to."""

    id: str
    hash: str
    account: str
    title: str
    scopes: tuple[str, ...]
    expires: datetime | None
    created: datetime
    last_used: datetime | None


@dataclass(frozen=True, slots=True)
class Failures:
    """Wrong sign-ins in a row under one key."""

    count: int
    last: datetime


class Sessions:
    """The store of sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_hash(self, hash: str) -> Session | None:
        """The session of a hashed secret."""
        row = await self._database.row("SELECT * FROM sessions WHERE hash = ?", hash)
        return None if row is None else _session(row)

    async def list(self, account: str | None = None) -> list[Session]:
        """Sessions of an account, or all; the one used last comes first."""
        sql = "SELECT * FROM sessions WHERE account = ?1 OR ?1 IS NULL ORDER BY last DESC"
        return [_session(row) for row in await self._database.rows(sql, account)]

    async def put(self, session: Session) -> None:
        """Store a session, in place of one with the same id (rotation)."""
        async with self._database.write() as transaction:
            await transaction.run(
                "INSERT INTO sessions VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET"
                " hash = excluded.hash, last = excluded.last, proven = excluded.proven",
                session.id, session.hash, session.account, session.since.isoformat(),
                session.last.isoformat(), session.address, session.agent, int(session.proven),
            )  # fmt: skip

    async def touch(self, id: str, at: datetime) -> None:
        """Remember that the session was used."""
        async with self._database.write() as transaction:
            await transaction.run("UPDATE sessions SET last = ? WHERE id = ?", at.isoformat(), id)

    async def end(self, id: str) -> None:
        """End one session."""
        async with self._database.write() as transaction:
            await transaction.run("DELETE FROM sessions WHERE id = ?", id)

    async def end_all(self, account: str, but: str | None = None) -> None:
        """End every session of an account, but for one if named."""
        async with self._database.write() as transaction:
            await transaction.run(
                "DELETE FROM sessions WHERE account = ? AND id <> ?", account, but or ""
            )


class Tokens:
    """The store of API tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_hash(self, hash: str) -> Token | None:
        """The token of a hashed secret."""
        row = await self._database.row("SELECT * FROM tokens WHERE hash = ?", hash)
        return None if row is None else _token(row)

    async def list(self, account: str) -> list[Token]:
        """An account's tokens, the newest first."""
        rows = await self._database.rows(
            "SELECT * FROM tokens WHERE account = ? ORDER BY created DESC", account
        )
        return [_token(row) for row in rows]

    async def add(self, token: Token) -> None:
        """Store a token."""
        async with self._database.write() as transaction:
            await transaction.run(
                "INSERT INTO tokens VALUES (?,?,?,?,?,?,?,NULL)",
                token.id, token.hash, token.account, token.title, json.dumps(token.scopes),
                token.expires.isoformat() if token.expires else None, token.created.isoformat(),
            )  # fmt: skip

    async def touch(self, id: str, at: datetime) -> None:
        """Remember that the token was used."""
        async with self._database.write() as transaction:
            await transaction.run(
                "UPDATE tokens SET last_used = ? WHERE id = ?", at.isoformat(), id
            )

    async def revoke(self, account: str, id: str) -> bool:
        """Delete a token of an account; False when it has no such token."""
        async with self._database.write() as transaction:
            return (
                await transaction.run(
                    "DELETE FROM tokens WHERE account = ? AND id = ?", account, id
                )
                == 1
            )


class SignInFailures:
    """Counts wrong sign-ins by key, so that a restart forgives nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str) -> Failures | None:
        """Failures in a row under the key."""
        row = await self._database.row("SELECT * FROM sign_in_failures WHERE key = ?", key)
        return None if row is None else Failures(row["count"], datetime.fromisoformat(row["last"]))

    async def add(self, keys: tuple[str, ...], at: datetime) -> None:
        """Count one more under each key; keys untouched for a day are forgotten."""
        async with self._database.write() as transaction:
            for key in keys:
                await transaction.run(
                    "INSERT INTO sign_in_failures VALUES (?1, 1, ?2)"
                    " ON CONFLICT (key) DO UPDATE"
                    " SET count = sign_in_failures.count + 1, last = ?2",
                    key, at.isoformat(),
                )  # fmt: skip
            await transaction.run(
                "DELETE FROM sign_in_failures WHERE julianday(last) < julianday(?) - 1",
                at.isoformat(),
            )

    async def clear(self, key: str) -> None:
        """Forget the failures after a good sign-in."""
        async with self._database.write() as transaction:
            await transaction.run("DELETE FROM sign_in_failures WHERE key = ?", key)


def _session(row: Row) -> Session:
    since, last = datetime.fromisoformat(row["since"]), datetime.fromisoformat(row["last"])
    return Session(row["id"], row["hash"], row["account"], since, last, row["address"],
                   row["agent"], bool(row["proven"]))  # fmt: skip


def _token(row: Row) -> Token:
    return Token(
        row["id"], row["hash"], row["account"], row["title"], tuple(json.loads(row["scopes"])),
        _when(row["expires"]), datetime.fromisoformat(row["created"]), _when(row["last_used"]),
    )  # fmt: skip


def _when(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
