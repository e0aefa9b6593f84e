"""`audit.*`: reading the audit log and checking its chain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from filterd.control.owner import Owner, limited
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Nothing, Route
from filterd.storage.audit import AuditEntry, AuditFilter, AuditLog


class Verified(Protocol):
    """What is found of the chain."""

    @property
    def ok(self) -> bool:
        """Whether every entry fits."""

    @property
    def checked(self) -> int:
        """How many were looked at."""

    @property
    def first_bad(self) -> int | None:
        """The first that does not fit."""


class Walk(Protocol):
    """`evidence.audit.Walk`."""

    def take(self, entries: Iterable[AuditEntry]) -> Verified:
        """What is found with these, which follow those before."""


async def walked(log: AuditLog, walk: Walk) -> Verified:
    """The whole chain, walked from page to page beside the loop."""
    after, found = 0, walk.take(())
    while found.ok and (entries := await log.chain(after)):
        found = await asyncio.to_thread(walk.take, entries)
        after = entries[-1].id
    return found


@dataclass(frozen=True, slots=True)
class Page:
    """Entries from the newest downwards."""

    before: int | None = None
    limit: int = 50
    actor: str | None = None
    action: str | None = None
    search: str | None = None


def routes(owner: Owner, walk: Callable[[], Walk]) -> dict[str, Route]:
    """The methods of this noun; `walk` begins at the chain's first entry."""
    noun = _Audit(owner, walk)
    return {
        "audit.list": Route(Page, Permission.AUDIT, noun.list),
        "audit.verify": Route(Nothing, Permission.EVIDENCE, noun.verify),
    }


class _Audit:
    def __init__(self, owner: Owner, walk: Callable[[], Walk]) -> None:
        self._log = owner.stores.audit
        self._walk = walk

    async def list(self, caller: Caller, request: Page) -> dict[str, Any]:
        limit = limited(request.limit)
        wanted = AuditFilter(request.actor, request.action, request.search)
        found = await self._log.page(wanted, request.before, limit + 1)
        return {
            "items": [
                {"id": e.id, "at": e.at, "actor": e.act.actor, "action": e.act.action,
                 "target": e.act.target, "reason": e.act.reason,
                 "before_hash": e.act.before_hash, "after_hash": e.act.after_hash,
                 "approver": e.act.approver}
                for e in found[:limit]
            ],
            "more": len(found) > limit,
        }  # fmt: skip

    async def verify(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        found = await walked(self._log, self._walk())
        return {"ok": found.ok, "checked": found.checked, "first_bad": found.first_bad}
