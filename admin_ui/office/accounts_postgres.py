"""The account stores' database on PostgreSQL: the same statements, so the same implementation.

Stands in for `filterd.storage.database.Database` where several office processes share accounts.
Owns one connection; knows no noun.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.rows import dict_row

from filterd.errors import StorageError
from filterd.storage.database import Row, Value

_WRITING = 0x61756469  # any number that is ours: one writer at a time, as SQLite has it
_FILES = ("0002_audit.sql", "0003_people.sql")
_EXTRAS = """
CREATE OR REPLACE FUNCTION instr(text, text) RETURNS integer IMMUTABLE LANGUAGE sql
  AS 'SELECT strpos($1, $2)';
CREATE OR REPLACE FUNCTION julianday(text) RETURNS double precision STABLE LANGUAGE sql
  AS 'SELECT extract(epoch FROM $1::timestamptz) / 86400';
CREATE COLLATION IF NOT EXISTS nocase
  (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE OR REPLACE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql
  AS $$ BEGIN RAISE EXCEPTION 'the audit log is never changed'; END $$;
"""
_TRIGGER = """
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
  EXECUTE FUNCTION audit_stays();
"""


def translated(sql: str) -> str:
    """`?` and `?2` as PostgreSQL's `$1` and `$2`."""
    count = iter(range(1, 1000))
    return re.sub(r"\?(\d*)", lambda found: f"${found[1] or next(count)}", sql)


def schema(sql: str) -> str:
    """A migration of the account tables in PostgreSQL's words."""
    sql = re.sub(r"CREATE TRIGGER.*?END;", "", sql, flags=re.DOTALL)
    sql = sql.replace(") STRICT", ")").replace("COLLATE NOCASE", "COLLATE nocase")
    return sql.replace("BLOB", "BYTEA").replace("INTEGER", "BIGINT")


class PostgresTransaction:
    """Statements that all happen or none does."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def run(self, sql: str, *values: Value) -> int:
        """Execute one statement; the rows changed."""
        cursor = AsyncRawCursor(self._connection)
        await cursor.execute(translated(sql).encode(), values)
        return cursor.rowcount

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        """Read inside the transaction."""
        cursor = AsyncRawCursor(self._connection, row_factory=dict_row)
        await cursor.execute(translated(sql).encode(), values)
        return list(await cursor.fetchall()) if cursor.description else []


class PostgresDatabase:
    """One connection, opened again when the server hung up; one statement at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = asyncio.Lock()
        self._connection: AsyncConnection[Any] | None = None
        self.path = Path("postgresql")

    async def open(self, migrations: Path) -> None:
        """Connect, and make the tables when they are not there."""
        async with self.write() as transaction:
            found = await transaction.rows("SELECT to_regclass('accounts') IS NOT NULL AS there")
            if found[0]["there"]:
                return
            connection = await self._live()
            await connection.execute(_EXTRAS.encode())
            for name in _FILES:
                await connection.execute(schema((migrations / name).read_text("utf-8")).encode())
            await connection.execute(_TRIGGER.encode())

    async def _live(self) -> AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await AsyncConnection.connect(self._url, connect_timeout=10)
        return self._connection

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        """Every row of a query."""
        async with self._told(), self._lock:
            connection = await self._live()
            async with connection.transaction():
                return await PostgresTransaction(connection).rows(sql, *values)

    async def row(self, sql: str, *values: Value) -> Row | None:
        """The first row of a query, or None."""
        return next(iter(await self.rows(sql, *values)), None)

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[PostgresTransaction]:
        """A transaction, alone among all office processes: the audit chain needs an order."""
        async with self._told(), self._lock:
            connection = await self._live()
            async with connection.transaction():
                await connection.execute(f"SELECT pg_advisory_xact_lock({_WRITING})".encode())
                yield PostgresTransaction(connection)

    @contextlib.asynccontextmanager
    async def _told(self) -> AsyncIterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise StorageError(f"PostgreSQL: {error}; nothing was saved") from error

    async def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            await self._connection.close()
