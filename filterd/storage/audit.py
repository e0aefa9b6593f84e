"""The audit log's rows. How an entry is sealed is given to the store by its owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from filterd.storage.database import Database, Row, Transaction, Value

Seal = Callable[[int, str, tuple[str, ...]], str]


@dataclass(frozen=True, slots=True)
class Act:
    """Something somebody did; hashes are those of the thing changed, empty where none applies."""

    actor: str
    action: str
    target: str = ""
    reason: str = ""
    before_hash: str = ""
    after_hash: str = ""
    approver: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An act as the log holds it."""

    id: int
    at: str
    act: Act
    previous: str
    seal: str

    @property
    def fields(self) -> tuple[str, ...]:
        """What the seal covers besides position and previous seal."""
        act = self.act
        return (self.at, act.actor, act.action, act.target, act.reason, act.before_hash,
                act.after_hash, act.approver)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted; None: any. `search` looks into target and reason."""

    actor: str | None = None
    action: str | None = None
    search: str | None = None


class AuditLog:
    """Appends and reads; nothing else is possible, the database refuses it."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    async def append(self, act: Act, at: datetime) -> None:
        """Write an act down in a transaction of its own."""
        async with self._database.write() as transaction:
            await self.append_in(transaction, act, at)

    async def append_in(self, transaction: Transaction, act: Act, at: datetime) -> None:
        """Write an act down together with the change it tells of."""
        last = await transaction.rows("SELECT id, seal FROM audit ORDER BY id DESC LIMIT 1")
        number = last[0]["id"] + 1 if last else 1
        previous = last[0]["seal"] if last else ""
        entry = AuditEntry(number, at.isoformat(), act, previous, "")
        await transaction.run(
            "INSERT INTO audit VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            number, *entry.fields, previous, self._seal(number, previous, entry.fields),
        )  # fmt: skip

    async def page(self, wanted: AuditFilter, before: int | None, limit: int) -> list[AuditEntry]:
        """Entries from the newest (or the one below `before`) downwards."""
        sql, values = "SELECT * FROM audit WHERE id < ?", [before or 1 << 62]
        parts: list[Value] = list(values)
        for column, value in (("actor", wanted.actor), ("action", wanted.action)):
            if value:
                sql += f" AND {column} = ?"
                parts.append(value)
        if wanted.search:
            sql += " AND (instr(lower(target), lower(?)) > 0 OR instr(lower(reason), lower(?)) > 0)"
            parts += [wanted.search, wanted.search]
        rows = await self._database.rows(f"{sql} ORDER BY id DESC LIMIT ?", *parts, limit)
        return [_entry(row) for row in rows]

    async def makers(self, account: str, since: datetime) -> frozenset[str]:
        """Who made, raised or reset that account since then, or agreed to it."""
        rows = await self._database.rows(
            "SELECT actor, approver FROM audit WHERE at >= ? AND lower(target) = lower(?)"
            " AND action IN ('people.add', 'people.role', 'people.reset')",
            since.isoformat(), account,
        )  # fmt: skip
        return frozenset(row[key] for row in rows for key in ("actor", "approver") if row[key])

    async def begun(self) -> datetime | None:
        """When the log begins: the first day of this box."""
        first = await self.chain(limit=1)
        return datetime.fromisoformat(first[0].at) if first else None

    async def chain(self, after: int = 0, limit: int = 1000) -> list[AuditEntry]:
        """Entries in the order of the chain, for verifying."""
        rows = await self._database.rows(
            "SELECT * FROM audit WHERE id > ? ORDER BY id LIMIT ?", after, limit
        )
        return [_entry(row) for row in rows]


def _entry(row: Row) -> AuditEntry:
    act = Act(row["actor"], row["action"], row["target"], row["reason"], row["before_hash"],
              row["after_hash"], row["approver"])  # fmt: skip
    return AuditEntry(row["id"], row["at"], act, row["previous"], row["seal"])
