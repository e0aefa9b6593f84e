"""`audit.*`: reading the audit log and checking its chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from filterd.control.owner import Owner, limited
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Nothing, Route
from filterd.storage.audit import AuditEntry, AuditFilter

_BATCH = 5000


Verify = Callable[[Iterable[AuditEntry]], Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Entries from the newest downwards."""

    before: int | None = None
    limit: int = 50
    actor: str | None = None
    action: str | None = None
    search: str | None = None


def routes(owner: Owner, verify: Verify) -> dict[str, Route]:
    """The methods of this noun; `verify` walks the chain (`evidence.audit.verify`)."""
    noun = _Audit(owner, verify)
    return {
        "audit.list": Route(Page, Permission.AUDIT, noun.list),
        "audit.verify": Route(Nothing, Permission.EVIDENCE, noun.verify),
    }


class _Audit:
    def __init__(self, owner: Owner, verify: Verify) -> None:
        self._log = owner.stores.audit
        self._verify = verify

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
        entries: list[AuditEntry] = []
        while batch := await self._log.chain(entries[-1].id if entries else 0, _BATCH):
            entries += batch
        found = self._verify(entries)
        return {"ok": found.ok, "checked": found.checked, "first_bad": found.first_bad}
