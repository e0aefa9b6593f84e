"""The office's database: opening, migrating, months of summaries. SQLite by default, PostgreSQL.

Owns the engine. Knows no noun; the statements stand with their nouns.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, create_engine, event, func, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from admin_ui.office.tables import metadata, schema_version, stale, summaries
from filterd.errors import StorageError

VERSION = 5
"""The schema's number; a step from n to n+1 stands in `STEPS[n]`."""
STEPS: Mapping[int, str] = {
    1: "ALTER TABLE stale ADD COLUMN marked INTEGER NOT NULL DEFAULT 0",
    2: "CREATE INDEX IF NOT EXISTS assessments_seen ON assessments (month, school, status)",
    3: "ALTER TABLE summaries ADD COLUMN method TEXT NOT NULL DEFAULT ''",
    4: "ALTER TABLE assessments ADD COLUMN strange INTEGER NOT NULL DEFAULT 0",
}
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
_IDLE_S = 10.0
_MIGRATING = 0x66696C74  # any number that is ours: the advisory lock of the schema


@dataclass(frozen=True, slots=True)
class Office:
    """What every noun works with: the engine, the clock, where keys and bundles lie."""

    engine: Engine
    state_dir: Path
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    zone: ZoneInfo = ZONE
    months: set[str] = field(default_factory=set, compare=False)
    """Months whose partition is known to be there."""

    @property
    def postgres(self) -> bool:
        return self.engine.dialect.name == "postgresql"

    def today(self) -> date:
        """The office's local date."""
        return self.clock().astimezone(self.zone).date()

    def moment(self) -> str:
        """Now, as the tables hold it."""
        return self.clock().astimezone(UTC).isoformat(timespec="seconds")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction; on SQLite it takes the write lock at once, so nothing fails half-way."""
        with self.engine.connect() as connection:
            if not self.postgres:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.begin()
            try:
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading one consistent state."""
        with self.engine.connect() as connection:
            if not self.postgres:
                connection.exec_driver_sql("BEGIN")
            yield connection

    def rows(self, statement: Any) -> list[dict[str, Any]]:
        """Every row of one query; no transaction around it, each would cost two more messages."""
        looking = self.engine
        if self.postgres:
            looking = looking.execution_options(isolation_level="AUTOCOMMIT")
        with looking.connect() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]


def default_url(state_dir: Path) -> str:
    """The SQLite file of a state directory."""
    return f"sqlite:///{state_dir / 'office.db'}"


def open_office(url: str, state_dir: Path, clock: Callable[[], datetime] | None = None) -> Office:
    """Open and migrate; StorageError for a database of a newer version."""
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    sqlite = parsed.drivername.startswith("sqlite")
    options: dict[str, Any] = (
        {"connect_args": {"timeout": 10.0}} if sqlite else {"pool_size": 8, "max_overflow": 8}
    )
    engine = create_engine(parsed, **options)
    if sqlite:
        _set_up_sqlite(engine)
    else:
        _try_idle_ones(engine)
    office = Office(engine, state_dir) if clock is None else Office(engine, state_dir, clock)
    with office.write() as connection:
        _migrate(connection, office.postgres)
    return office


def _set_up_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is written by `write`, not guessed
        for pragma in (
            "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000",
            "cache_size=-32000", "mmap_size=268435456",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")


def _try_idle_ones(engine: Engine) -> None:
    """A connection that lay idle is tried before it is used: the server may have started anew. One
    that was used just now is not, or every query would be two."""

    @event.listens_for(engine, "checkin")
    def note(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info["since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def check(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        if time.monotonic() - record.info.get("since", time.monotonic()) < _IDLE_S:
            return
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT 1")
            cursor.close()
            connection.rollback()
        except Exception as error:
            raise DisconnectionError from error  # the pool takes another


def _migrate(connection: Connection, postgres: bool) -> None:
    if postgres:  # several office processes may start at once
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATING})"))
    metadata.create_all(connection)
    found = connection.execute(select(func.max(schema_version.c.number))).scalar()
    if found is None:
        connection.execute(insert(schema_version).values(number=VERSION))
        return
    if found > VERSION:
        raise StorageError(
            f"the database was written by a newer filterd (schema {found}, this one: {VERSION})"
        )
    for number in range(found, VERSION):
        connection.execute(text(STEPS[number]))
        connection.execute(insert(schema_version).values(number=number + 1))


def next_month(month: str) -> str:
    """The month after "2026-11"."""
    year, number = int(month[:4]), int(month[5:7])
    return f"{year + number // 12}-{number % 12 + 1:02d}"


def months_back(month: str, n: int) -> list[str]:
    """The n months that end with `month`, oldest first."""
    count = int(month[:4]) * 12 + int(month[5:7]) - 1
    return [f"{k // 12}-{k % 12 + 1:02d}" for k in range(count - n + 1, count + 1)]


def ensure_month(office: Office, month: str) -> None:
    """On PostgreSQL: the partition for this month's summaries, made before the transaction that
    needs it (IF NOT EXISTS alone fails when two processes make it at once)."""
    if not office.postgres or month in office.months:
        return
    first, after = f"{month}-01", f"{next_month(month)}-01"
    name = f"{summaries.name}_{month.replace('-', '_')}"
    if not month.replace("-", "").isdigit():
        raise ValueError(month)
    with office.write() as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATING})"))
        connection.execute(
            text(
                f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {summaries.name} "
                f"FOR VALUES FROM ('{first}') TO ('{after}')"
            )
        )
    office.months.add(month)


def mark_stale(connection: Connection, pairs: Iterable[tuple[str, str]]) -> None:
    """These schools' months must be assessed anew."""
    rows = [{"school": school, "month": month} for school, month in sorted(set(pairs))]
    if rows:
        again = upsert(connection, stale).on_conflict_do_update(
            index_elements=["school", "month"], set_={"marked": stale.c.marked + 1}
        )
        connection.execute(again, rows)


def upsert(connection: Connection, table: Any) -> Any:
    """An insert that can say what happens on a conflict, in the dialect of the connection."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as dialect_insert
    else:
        from sqlalchemy.dialects.sqlite import insert as dialect_insert  # type: ignore[assignment]
    return dialect_insert(table)
