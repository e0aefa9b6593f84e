"""`tail.*`: the debug view — off, asked for with a reason and a second person, gone by itself.

The rows are in the workers' memory alone; who turned it on, why and until when is audited.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from filterd.control.approvals import Wish, second_person
from filterd.control.owner import Apply, Owner, required_reason
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Nothing, Refusal, Route

_MAX_MINUTES = 60
_MAX_ROWS = 1000
_TYPES = {1: "A", 28: "AAAA", 65: "HTTPS", 64: "SVCB", 5: "CNAME", 15: "MX", 16: "TXT", 12: "PTR",
          2: "NS", 6: "SOA", 33: "SRV"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Start:
    """At most an hour."""

    minutes: int
    reason: str
    approval: str | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows after the id of one."""

    after: int | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A debug view that runs."""

    until: datetime
    author: str
    approved_by: str | None
    reason: str


class DebugView:
    """The one debug view there can be."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._view: View | None = None
        self._rows: deque[dict[str, Any]] = deque(maxlen=_MAX_ROWS)
        self._positions: dict[int, int] = {}
        self._next = 1

    @property
    def running(self) -> View | None:
        """The view that runs now, or None."""
        if self._view is not None and self._view.until <= self._owner.clock():
            self._forget()
        return self._view

    @property
    def shown(self) -> dict[str, Any] | None:
        """What every page's banner says of the view that runs."""
        view = self.running
        return None if view is None else {"until": view.until, "author": view.author}

    def _forget(self) -> None:
        self._view = None
        self._rows.clear()
        self._positions.clear()

    async def rows(self) -> list[dict[str, Any]]:
        """The latest rows of all workers, numbered in the order in which they were fetched."""
        after = min(self._positions.values(), default=0)
        answers = await self._owner.workers.tell({"do": "rows", "after": after})
        fresh = []
        for worker, answer in enumerate(answers):
            rows, position = answer.get("rows", ()), self._positions.get(worker, 0)
            if rows and rows[-1]["id"] < position:
                position = 0  # a new worker counts from one again
            fresh += [row for row in rows if row["id"] > position]
            self._positions[worker] = rows[-1]["id"] if rows else position
        for row in sorted(fresh, key=lambda row: str(row["at"])):
            self._rows.append(_shown(row, self._next))
            self._next += 1
        return list(self._rows)

    async def begin(
        self, author: Caller, minutes: int, reason: str, approver: str | None
    ) -> datetime:
        """Start a view that was allowed."""
        until = self._owner.clock() + timedelta(minutes=minutes)
        self._view = View(until, author.name, approver, reason)
        await self._owner.audit(author, "tail.start", f"{minutes} min, {approver or '-'}", reason)
        await self._owner.workers.tell({"do": "tail", "until": minutes * 60})
        return until

    async def end(self, caller: Caller) -> None:
        """Stop it; the rows are gone."""
        if self._view is not None:
            self._forget()
            await self._owner.audit(caller, "tail.stop")
        await self._owner.workers.tell({"do": "tail", "until": 0})


def routes(owner: Owner, view: DebugView) -> dict[str, Route]:
    """The methods of this noun."""
    noun = _Tail(owner, view)
    return {
        "tail.start": Route(Start, Permission.DEBUG, noun.start),
        "tail.stop": Route(Nothing, Permission.DEBUG, noun.stop),
        "tail.rows": Route(Rows, Permission.DEBUG, noun.rows),
        "tail.state": Route(Nothing, Permission.VIEW, noun.state),
    }


def appliers(view: DebugView) -> dict[str, Apply]:
    """How an approved debug view is started."""

    async def start(request: Mapping[str, Any], author: Caller, approver: str) -> dict[str, Any]:
        until = await view.begin(author, request["minutes"], request["reason"], approver)
        return {"until": until}

    return {"tail.start": start}


class _Tail:
    def __init__(self, owner: Owner, view: DebugView) -> None:
        self._owner = owner
        self._view = view

    async def start(self, caller: Caller, request: Start) -> dict[str, Any]:
        reason = required_reason(request.reason)
        if not 1 <= request.minutes <= _MAX_MINUTES:
            raise Refusal("invalid", "Từ 1 đến 60 phút", "From 1 to 60 minutes")
        wish = Wish(
            "tail.start", {"minutes": request.minutes, "reason": reason},
            f"Xem truy vấn trực tiếp {request.minutes} phút",
            f"Watch live queries for {request.minutes} minutes", reason,
        )  # fmt: skip
        await second_person(self._owner, caller, wish)
        return {"until": await self._view.begin(caller, request.minutes, reason, None)}

    async def stop(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        await self._view.end(caller)
        return {}

    async def rows(self, caller: Caller, request: Rows) -> dict[str, Any]:
        if self._view.running is None:
            raise Refusal("denied", "Chế độ xem trực tiếp đang tắt", "The debug view is off")
        after = request.after or 0
        return {"items": [row for row in await self._view.rows() if row["id"] > after]}

    async def state(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        view = self._view.running
        return {
            "on": view is not None,
            "until": view.until if view else None,
            "author": view.author if view else None,
            "approved_by": view.approved_by if view else None,
            "reason": view.reason if view else None,
        }


def _shown(row: Mapping[str, Any], number: int) -> dict[str, Any]:
    kind = _TYPES.get(row["qtype"], f"TYPE{row['qtype']}")
    return {"id": number, "at": row["at"], "client": row["client"], "name": row["name"],
            "type": kind, "tier": row["tier"], "verdict": row["outcome"],
            "category": row["category"]}  # fmt: skip
