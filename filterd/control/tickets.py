"""`tickets.*`: unblock requests and reports, with a clock; nothing about who sent them is kept.

Target times are the proposed defaults of the requirements (I9): a harmful report one working day,
anything else two. Notes are scrubbed when a ticket closes.
"""

from __future__ import annotations

import unicodedata
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from filterd.control.owner import Owner, limited, not_found, required_reason
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Refusal, Route
from filterd.storage.tickets import Ticket, TicketEvent, TicketFilter
from filterd.wire import names

TYPES = ("unblock", "harmful", "other")
DECISIONS = ("accepted", "refused", "passed_on")
WORKING_DAYS = {"harmful": 1, "unblock": 2, "other": 2}
_MAX_NOTE = 1000
_PER_ADDRESS, _PER_SCHOOL = 5, 100
_WINDOW = timedelta(hours=1)
_REMEMBERED = 4096
TierOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Submit:
    """From the portal; `address` gives the tier and the rate limit and is then forgotten."""

    type: str
    name: str
    note: str
    address: str


@dataclass(frozen=True, slots=True)
class Page:
    """Tickets from the newest downwards."""

    state: str | None = None
    type: str | None = None
    search: str | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class ById:
    """One ticket."""

    id: int


@dataclass(frozen=True, slots=True)
class Decide:
    """Close a ticket with a decision and its reason."""

    id: int
    decision: str
    reason: str


@dataclass(frozen=True, slots=True)
class HandOff:
    """An authority has it: which office, under which reference. No pupil data."""

    id: int
    office: str
    reference: str


def routes(owner: Owner, tier_of: TierOf) -> dict[str, Route]:
    """The methods of this noun; `tier_of` places an address."""
    noun = _Tickets(owner, tier_of)
    return {
        "tickets.submit": Route(Submit, Permission.PORTAL, noun.submit),
        "tickets.list": Route(Page, Permission.VIEW, noun.list),
        "tickets.get": Route(ById, Permission.DECIDE, noun.get),
        "tickets.decide": Route(Decide, Permission.DECIDE, noun.decide),
        "tickets.handoff": Route(HandOff, Permission.DECIDE, noun.hand_off),
    }


def due(type: str, opened: datetime) -> datetime:
    """The target time: that many working days (Monday to Friday) after `opened`."""
    left, at = WORKING_DAYS[type], opened
    while left:
        at += timedelta(days=1)
        left -= at.weekday() < 5
    return at


class _Limiter:
    """At most so many tickets an hour from one address and from the school; RAM only."""

    def __init__(self) -> None:
        self._by_address: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._all: deque[datetime] = deque(maxlen=_PER_SCHOOL)

    def take(self, address: str, now: datetime) -> bool:
        """Whether one more may come now."""
        own = self._by_address.setdefault(address, deque(maxlen=_PER_ADDRESS))
        self._by_address.move_to_end(address)
        if len(self._by_address) > _REMEMBERED:
            self._by_address.popitem(last=False)
        for times in (own, self._all):
            if len(times) == times.maxlen and now - times[0] < _WINDOW:
                return False
        own.append(now)
        self._all.append(now)
        return True


class _Tickets:
    def __init__(self, owner: Owner, tier_of: TierOf) -> None:
        self._owner = owner
        self._store = owner.stores.tickets
        self._tier_of = tier_of
        self._limiter = _Limiter()

    async def submit(self, caller: Caller, request: Submit) -> dict[str, Any]:
        if request.type not in TYPES:
            raise Refusal("invalid", "Loại không đúng", f"type is one of {', '.join(TYPES)}")
        try:
            name = names.from_text(request.name.strip())
        except ValueError:
            raise Refusal("invalid", "Tên miền không đúng", "Not a domain name") from None
        now = self._owner.clock()
        if not self._limiter.take(request.address, now):
            raise Refusal(
                "too_soon",
                "Đã nhận nhiều yêu cầu, hãy thử lại sau",
                "Too many requests came from here; try again later",
                retry_after=int(_WINDOW.total_seconds()),
            )
        ticket = Ticket(
            0, request.type, name, self._tier_of(request.address), _clean(request.note), "open",
            now, due(request.type, now),
        )  # fmt: skip
        return {"number": await self._store.add(ticket), "due": ticket.due}

    async def list(self, caller: Caller, request: Page) -> dict[str, Any]:
        limit = limited(request.limit)
        wanted = TicketFilter(request.state, request.type, request.search)
        found = await self._store.page(wanted, request.before, limit + 1)
        return {
            "items": [self._shown(ticket) for ticket in found[:limit]],
            "more": len(found) > limit,
            "counts": await self._store.counts(),
        }

    async def get(self, caller: Caller, request: ById) -> dict[str, Any]:
        ticket = await self._get(request.id)
        handoff = None
        if ticket.handed_at is not None:
            handoff = {"office": ticket.office, "reference": ticket.reference,
                       "at": ticket.handed_at}  # fmt: skip
        return {
            **self._shown(ticket),
            "note": ticket.note,
            "history": await self._store.history(ticket.id),
            "handoff": handoff,
        }

    async def decide(self, caller: Caller, request: Decide) -> dict[str, Any]:
        if request.decision not in DECISIONS:
            raise Refusal("invalid", "Quyết định không đúng", f"one of {', '.join(DECISIONS)}")
        ticket = await self._get(request.id)
        reason = required_reason(request.reason)
        event = TicketEvent(self._owner.clock(), caller.name, request.decision, reason)
        if not await self._store.close(ticket.id, request.decision, event):
            raise Refusal("conflict", "Yêu cầu này đã đóng", "This ticket is closed already")
        await self._owner.audit(caller, "tickets.decide", f"#{ticket.id} {ticket.name}",
                                f"{request.decision}: {reason}")  # fmt: skip
        return {}

    async def hand_off(self, caller: Caller, request: HandOff) -> dict[str, Any]:
        ticket = await self._get(request.id)
        office, reference = required_reason(request.office), request.reference.strip()[:120]
        event = TicketEvent(self._owner.clock(), caller.name, "passed_on", reference)
        await self._store.hand_off(ticket.id, office, reference, event)
        await self._owner.audit(caller, "tickets.handoff", f"#{ticket.id}", f"{office} {reference}")
        return {}

    async def _get(self, id: int) -> Ticket:
        ticket = await self._store.get(id)
        if ticket is None:
            raise not_found("ticket")
        return ticket

    def _shown(self, ticket: Ticket) -> dict[str, Any]:
        ended = ticket.decided_at or self._owner.clock()
        return {"id": ticket.id, "type": ticket.type, "name": ticket.name, "tier": ticket.tier,
                "state": ticket.state, "opened": ticket.opened, "due": ticket.due,
                "late": ended > ticket.due, "decided_at": ticket.decided_at,
                "decision": ticket.decision}  # fmt: skip


def _clean(note: str) -> str:
    """The note without control characters, bounded."""
    kept = "".join(c for c in note if c == "\n" or unicodedata.category(c)[0] != "C")
    return kept.strip()[:_MAX_NOTE]
