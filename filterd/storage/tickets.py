"""Unblock requests and reports, without any field for the person who sent them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from filterd.storage.database import Database, Row, Transaction, Value


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request or report; `note` is None once the ticket is closed."""

    id: int
    type: str
    name: str
    tier: str | None
    note: str | None
    state: str
    opened: datetime
    due: datetime
    decision: str | None = None
    decided_at: datetime | None = None
    office: str | None = None
    reference: str | None = None
    handed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """What happened to a ticket, by whom and why."""

    at: datetime
    author: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """Which tickets are wanted; None: any. `search` looks into the name."""

    state: str | None = None
    type: str | None = None
    search: str | None = None


class Tickets:
    """The store of tickets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, ticket: Ticket) -> int:
        """Store a new ticket (its id is ignored); gives its number."""
        async with self._database.write() as transaction:
            return await transaction.run(
                "INSERT INTO tickets (type, name, tier, note, state, opened, due)"
                " VALUES (?,?,?,?,'open',?,?)",
                ticket.type, ticket.name, ticket.tier, ticket.note, ticket.opened.isoformat(),
                ticket.due.isoformat(),
            )  # fmt: skip

    async def get(self, id: int) -> Ticket | None:
        """One ticket, or None."""
        row = await self._database.row("SELECT * FROM tickets WHERE id = ?", id)
        return None if row is None else _ticket(row)

    async def history(self, id: int) -> list[TicketEvent]:
        """What happened to a ticket, the oldest first."""
        rows = await self._database.rows(
            "SELECT * FROM ticket_history WHERE ticket = ? ORDER BY at", id
        )
        return [
            TicketEvent(datetime.fromisoformat(r["at"]), r["author"], r["what"], r["reason"])
            for r in rows
        ]

    async def page(self, wanted: TicketFilter, before: int | None, limit: int) -> list[Ticket]:
        """Tickets from the newest (or the one below `before`) downwards."""
        sql, parts = "SELECT * FROM tickets WHERE id < ?", [before or 1 << 62]
        values: list[Value] = list(parts)
        for column, value in (("state", wanted.state), ("type", wanted.type)):
            if value:
                sql += f" AND {column} = ?"
                values.append(value)
        if wanted.search:
            sql += " AND instr(name, lower(?))"
            values.append(wanted.search)
        rows = await self._database.rows(f"{sql} ORDER BY id DESC LIMIT ?", *values, limit)
        return [_ticket(row) for row in rows]

    async def counts(self) -> dict[str, int]:
        """How many tickets are in each state."""
        rows = await self._database.rows("SELECT state, count(*) AS n FROM tickets GROUP BY state")
        return {row["state"]: int(row["n"]) for row in rows}

    async def close(self, id: int, decision: str, event: TicketEvent) -> bool:
        """Decide and scrub the note in one step; False when it was closed already."""
        async with self._database.write() as transaction:
            changed = await transaction.run(
                "UPDATE tickets SET state = 'closed', decision = ?, decided_at = ?, note = NULL"
                " WHERE id = ? AND state = 'open'",
                decision, event.at.isoformat(), id,
            )  # fmt: skip
            if changed:
                await _note(transaction, id, event)
        return changed == 1

    async def hand_off(self, id: int, office: str, reference: str, event: TicketEvent) -> None:
        """Record that an authority has it: office, reference and time, nothing else."""
        async with self._database.write() as transaction:
            await transaction.run(
                "UPDATE tickets SET office = ?, reference = ?, handed_at = ? WHERE id = ?",
                office, reference, event.at.isoformat(), id,
            )  # fmt: skip
            await _note(transaction, id, event)


async def _note(transaction: Transaction, id: int, event: TicketEvent) -> None:
    await transaction.run(
        "INSERT INTO ticket_history VALUES (?,?,?,?,?)",
        id, event.at.isoformat(), event.author, event.what, event.reason,
    )  # fmt: skip


def _ticket(row: Row) -> Ticket:
    return Ticket(
        row["id"], row["type"], row["name"], row["tier"], row["note"], row["state"],
        datetime.fromisoformat(row["opened"]), datetime.fromisoformat(row["due"]),
        row["decision"], _when(row["decided_at"]), row["office"], row["reference"],
        _when(row["handed_at"]),
    )  # fmt: skip


def _when(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
