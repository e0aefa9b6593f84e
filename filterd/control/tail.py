"""`tail.*`: the debug view — off, asked for with a reason and a second person, gone by itself.

The rows are in the workers' memory alone; who turned it on, why and until when is audited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from filterd.control.approvals import Wish, second_person
from filterd.control.owner import Apply, Owner, required_reason
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Nothing, Refusal, Route

_MAX_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Start:
    """At most an hour."""

    minutes: int
    reason: str
    approval: str | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows after a position of an earlier answer."""

    after: str | None = None


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

    @property
    def running(self) -> View | None:
        """The view that runs now, or None."""
        if self._view is not None and self._view.until <= self._owner.clock():
            self._view = None
        return self._view

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
            self._view = None
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
        after = _positions(request.after)
        answers = await self._owner.workers.tell({"do": "rows", "after": min(after, default=0)})
        items = [
            {**row, "id": f"{worker}:{row['id']}"}
            for worker, answer in enumerate(answers)
            for row in answer.get("rows", ())
            if worker >= len(after) or row["id"] > after[worker]
        ]
        last = [
            max((row["id"] for row in answer.get("rows", ())),
                default=after[worker] if worker < len(after) else 0)
            for worker, answer in enumerate(answers)
        ]  # fmt: skip
        items.sort(key=lambda row: str(row.get("at")))
        return {"items": items, "after": ".".join(map(str, last))}

    async def state(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        view = self._view.running
        return {
            "on": view is not None,
            "until": view.until if view else None,
            "author": view.author if view else None,
            "approved_by": view.approved_by if view else None,
            "reason": view.reason if view else None,
        }


def _positions(after: str | None) -> list[int]:
    """The position in each worker's rows; answers carry it as `after`."""
    parts = (after or "").split(".")
    return [int(part) for part in parts if part.isdigit()]
