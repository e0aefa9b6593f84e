"""The database file: opening, migrating, transactions, integrity, backups."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import aiosqlite

from filterd.errors import StorageError

_BUSY_MS = 2000
_SETUP = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # NORMAL lost every commit of a run in the power-cut test
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={_BUSY_MS}",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cache_size=-512",  # KiB; 2,000 as it comes, and a backup fills all of it for good
)
Value = str | int | float | bytes | None
Row = Mapping[str, Any]


class Damaged(StorageError):
    """The file is not a whole database any more."""


class Newer(StorageError):
    """The file was written by a newer filterd."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema."""

    number: int
    name: str
    sql: str


class Transaction:
    """Statements that all happen or none does."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def run(self, sql: str, *values: Value) -> int:
        """Execute one statement; the row id of an insert or the rows changed of an update."""
        cursor = await self._connection.execute(sql, values)
        if sql.lstrip()[:6].upper() == "INSERT":
            return int(cursor.lastrowid or 0)
        return cursor.rowcount

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        """Read inside the transaction."""
        return [dict(row) for row in await self._connection.execute_fetchall(sql, values)]


class Database:
    """One connection, one writer at a time. Every sqlite3 error leaves as StorageError."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()
        self._writer: asyncio.Task[Any] | None = None
        self.path = path

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        """Every row of a query: what is committed, and to who writes what he wrote.

        A connection sees its own open transaction, and here all share one: who reads waits for its
        end, so that nobody sees, exports or judges what a full disk then takes back.
        """
        if self._writer is asyncio.current_task():
            return await self._rows(sql, values)
        async with self._lock:
            return await self._rows(sql, values)

    async def _rows(self, sql: str, values: tuple[Value, ...]) -> list[Row]:
        with _told(self.path):
            return [dict(row) for row in await self._connection.execute_fetchall(sql, values)]

    async def row(self, sql: str, *values: Value) -> Row | None:
        """The first row of a query, or None."""
        return next(iter(await self.rows(sql, *values)), None)

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A transaction: committed when the block ends well, else rolled back whole."""
        async with self._lock:
            with _told(self.path):
                try:  # a caller that gives up while it begins leaves no transaction behind
                    await self._connection.execute("BEGIN IMMEDIATE")
                    self._writer = asyncio.current_task()
                    yield Transaction(self._connection)
                    await self._connection.commit()
                except BaseException:
                    with contextlib.suppress(sqlite3.Error):
                        await self._connection.rollback()
                    raise
                finally:
                    self._writer = None

    async def backup(self, target: Path) -> None:
        """A whole, checked copy at `target`; an existing file there is replaced atomically.

        Between transactions: a connection in one answers its own backup with SQLITE_BUSY, which
        sqlite3 repeats for ever on the thread that alone could end the transaction.
        """
        part = target.with_suffix(".part")
        part.unlink(missing_ok=True)
        with _told(target):
            async with aiosqlite.connect(part) as copy:
                async with self._lock:
                    await self._connection.backup(copy)
                await copy.execute("PRAGMA journal_mode=DELETE")
                await _check(copy, part, "integrity_check")
        await asyncio.to_thread(part.replace, target)

    async def close(self) -> None:
        """Close the file; the WAL is folded in."""
        await self._connection.close()


async def open_database(path: Path, migrations: Iterable[Migration] | None = None) -> Database:
    """Open or create, check and migrate; raises Damaged, Newer or StorageError."""
    with _told(path):
        connection = await aiosqlite.connect(path, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            for statement in _SETUP:
                await connection.execute(statement)
            await _check(connection, path, "quick_check")
            await _migrate(connection, path, list(migrations or shipped_migrations()))
        except BaseException:
            await connection.close()
            raise
    await asyncio.to_thread(path.chmod, 0o600)
    return Database(connection, path)


def shipped_migrations() -> list[Migration]:
    """Every migration of this version, in order."""
    found = []
    for file in resources.files("filterd.storage.migrations").iterdir():
        number, _, name = file.name.removesuffix(".sql").partition("_")
        if file.name.endswith(".sql") and number.isdigit():
            found.append(Migration(int(number), name, file.read_text("utf-8")))
    return sorted(found, key=lambda migration: migration.number)


async def _check(connection: aiosqlite.Connection, path: Path, kind: str) -> None:
    rows = list(await connection.execute_fetchall(f"PRAGMA {kind}(1)"))
    if [row[0] for row in rows] != ["ok"]:
        raise Damaged(f"{path} is damaged: {rows[0][0] if rows else 'no answer'}")


async def _migrate(connection: aiosqlite.Connection, path: Path, known: list[Migration]) -> None:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT) STRICT"
    )
    rows = await connection.execute_fetchall("SELECT number FROM migrations")
    done = {int(row[0]) for row in rows}
    if unknown := done - {migration.number for migration in known}:
        raise Newer(
            f"{path} was written by a newer filterd (schema {max(unknown)}, this one knows up to "
            f"{max((m.number for m in known), default=0)}): install that version again"
        )
    for migration in known:
        if migration.number not in done:
            name = migration.name.replace("'", "")
            await connection.executescript(
                f"BEGIN IMMEDIATE;\n{migration.sql}\n"
                f"INSERT INTO migrations VALUES ({migration.number}, '{name}');\nCOMMIT;"
            )


@contextlib.contextmanager
def _told(path: Path) -> Any:
    """Turn the errors of sqlite3 into words that say what to do."""
    try:
        yield
    except UnicodeDecodeError as error:  # text that sqlite gave back is no text any more
        raise Damaged(f"{path} is damaged: {error}", f"{path} bị hỏng") from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise Damaged(f"{path} is damaged: {error}", f"{path} bị hỏng") from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StorageError(
                f"{path} is locked by another program; try again",
                f"{path} đang bị chương trình khác khoá; hãy thử lại",
            ) from error
        if code == sqlite3.SQLITE_FULL:
            raise StorageError(
                f"{path}: the disk is full; nothing was saved",
                f"{path}: ổ đĩa đã đầy; chưa lưu gì",
            ) from error
        raise StorageError(
            f"{path}: {error}; nothing was saved",
            f"{path}: cơ sở dữ liệu báo lỗi (mã SQLite {code}); chưa lưu gì",
        ) from error
