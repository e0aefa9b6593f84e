"""What the noun modules are built on: the stores, the running policy, the clock and the workers.

Made once by the composition root. What a noun needs of another room of its own height stands here
as a Protocol.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from filterd.config import Settings
from filterd.control.protocol import Caller, Refusal
from filterd.storage.accounts import Accounts
from filterd.storage.approvals import Approvals
from filterd.storage.audit import Act, AuditLog
from filterd.storage.database import Database
from filterd.storage.revisions import Revisions
from filterd.storage.sessions import Sessions, SignInFailures, Tokens
from filterd.storage.small import Drafts, Values
from filterd.storage.tickets import Tickets
from filterd.storage.vault import Vault

Clock = Callable[[], datetime]
PAGE_LIMIT = 200


class Workers(Protocol):
    """The fleet as the nouns see it."""

    def states(self) -> Any:
        """How each worker is now."""

    def tell(self, frame: dict[str, Any], seconds: float = 5.0) -> Awaitable[list[dict[str, Any]]]:
        """Pass a frame to every worker; their answers."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Every store of the core, on one database."""

    database: Database
    revisions: Revisions
    values: Values
    drafts: Drafts
    audit: AuditLog
    accounts: Accounts
    sessions: Sessions
    tokens: Tokens
    failures: SignInFailures
    approvals: Approvals
    tickets: Tickets


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of all state, as handed to `routes(owner)`."""

    settings: Settings
    stores: Stores
    vault: Vault
    clock: Clock
    workers: Workers

    async def audit(self, caller: Caller, action: str, target: str = "", reason: str = "") -> None:
        """Write down an act of the caller that changes no policy."""
        act = Act(caller.name, action, target, reason, approver=caller.agreed_by or "")
        await self.stores.audit.append(act, self.clock())


EXPORTS = "evidence.exports"
"""When files left the box; the evidence holds it against the audit log (I13)."""
_EXPORTS_KEPT = 1000


async def count_export(owner: Owner) -> None:
    """Count a file with the school's settings or accounts that is about to leave the box."""
    values = owner.stores.values
    counted: list[str] = await values.get(EXPORTS) or []
    await values.set(EXPORTS, [*counted, owner.clock().isoformat()][-_EXPORTS_KEPT:])


Apply = Callable[[Mapping[str, Any], Caller, str], Awaitable[Mapping[str, Any]]]
"""Carries out an approved request: the request, its author, the approver's name."""


def new_id() -> str:
    """A random id for a stored thing (64 bits, URL-safe)."""
    return secrets.token_urlsafe(8)


def limited(limit: int) -> int:
    """A page size within bounds."""
    return max(1, min(limit, PAGE_LIMIT))


def not_found(what: str) -> Refusal:
    """The refusal for an id that names nothing."""
    return Refusal("not_found", f"Không tìm thấy {what}", f"{what} was not found")


def required_reason(reason: str) -> str:
    """The reason without surrounding blanks; refused when empty or longer than 500 characters."""
    text = " ".join(reason.split())
    if not 3 <= len(text) <= 500:
        raise Refusal(
            "invalid", "Hãy ghi lý do (3–500 ký tự)", "Give a reason of 3 to 500 characters"
        )
    return text
