"""`approvals.*`: what weakens protection waits for a second person, who applies it by agreeing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from filterd.control.owner import Apply, Owner, new_id, not_found, required_reason
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Refusal, Route, Routes, decode
from filterd.storage.approvals import Approval
from filterd.storage.revisions import ChangeText

LIFETIME = timedelta(days=7)
RESTS = timedelta(hours=24)
"""How long an account that was made, raised or reset may not decide with whoever did it."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Requests in a state; None: any."""

    state: str | None = None


@dataclass(frozen=True, slots=True)
class Decide:
    """Agree (which applies it at once) or refuse."""

    id: str
    approve: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What a route asks a second person for."""

    method: str
    request: Mapping[str, Any]
    vi: str
    en: str
    reason: str
    changes: tuple[ChangeText, ...] = ()


def needs_second(caller: Caller) -> bool:
    """Whether what weakens protection must wait for somebody else when this caller asks for it."""
    return not (caller.local or caller.agreed_by)


async def second_person(owner: Owner, caller: Caller, wish: Wish) -> None:
    """Return if the caller needs no second person (any more); else file the wish and refuse.

    The machine's own administrator needs none: the act is audited as his and counted as a
    weakening change without approval.
    """
    if not needs_second(caller):
        return
    now = owner.clock()
    await owner.stores.approvals.expire(now)
    approval = Approval(
        new_id(), wish.method, wish.request, (wish.vi, wish.en), wish.changes, caller.name,
        wish.reason, now, now + LIFETIME,
    )  # fmt: skip
    await owner.stores.approvals.add(approval)
    await owner.audit(caller, "approvals.ask", wish.method, wish.reason)
    raise Refusal(
        "needs_approval",
        "Cần người thứ hai duyệt vì thay đổi này nới lỏng bảo vệ",
        "This weakens protection: a second person must approve it",
        approval=approval.id,
    )


def routes(owner: Owner, appliers: Mapping[str, Apply]) -> dict[str, Route]:
    """The methods of this noun; `appliers` carry out approved requests by their method."""
    noun = _Approvals(owner, appliers)
    return {
        "approvals.list": Route(Listing, Permission.VIEW, noun.list),
        "approvals.decide": Route(Decide, Permission.APPROVE, noun.decide),
    }


def again(routes: Routes, methods: Iterable[str]) -> dict[str, Apply]:
    """Appliers that carry out a wish by calling its method once more, in the author's name."""

    def applier(method: str) -> Apply:
        async def apply(request: Mapping[str, Any], author: Caller, _by: str) -> Mapping[str, Any]:
            route = routes[method]
            found: Mapping[str, Any] = await route.run(author, decode(route.request, dict(request)))
            return found

        return apply

    return {method: applier(method) for method in methods}


class _Approvals:
    def __init__(self, owner: Owner, appliers: Mapping[str, Apply]) -> None:
        self._owner = owner
        self._store = owner.stores.approvals
        self._appliers = appliers

    async def list(self, caller: Caller, request: Listing) -> dict[str, Any]:
        await self._store.expire(self._owner.clock())
        return {
            "items": [
                {"id": a.id, "method": a.method,
                 "summary": {"vi": a.summary[0], "en": a.summary[1]},
                 "changes": a.changes, "author": a.author, "reason": a.reason, "at": a.at,
                 "state": a.state, "decided_by": a.decided_by, "decided_at": a.decided_at,
                 "mine": a.author == caller.name,
                 "rests": a.state == "open" and await self._rests(caller, a)}
                for a in await self._store.list(request.state)
            ]
        }  # fmt: skip

    async def decide(self, caller: Caller, request: Decide) -> dict[str, Any]:
        reason = required_reason(request.reason)
        now = self._owner.clock()
        await self._store.expire(now)
        approval = await self._store.get(request.id)
        if approval is None:
            raise not_found("approval")
        if approval.author == caller.name:
            raise Refusal(
                "denied",
                "Người đề nghị không tự duyệt được",
                "Whoever asked may not approve; a second person must",
            )
        if request.approve and await self._rests(caller, approval):
            raise Refusal(
                "denied",
                "Trong 24 giờ qua, một trong hai tài khoản do tài khoản kia hoặc cùng một người"
                " lập, nâng quyền hay cấp lại",
                "Within the last 24 hours one of the two accounts was made, raised or reset by the"
                " other, or both by the same person",
            )
        state = "approved" if request.approve else "refused"
        if not await self._store.decide(approval.id, state, caller.name, reason, now):
            raise Refusal("conflict", "Đề nghị này đã đóng", "This request is closed already")
        result: Mapping[str, Any] | None = None
        if request.approve:
            result = await self._carry_out(approval, caller)
        await self._owner.audit(caller, f"approvals.{state}", approval.method, reason)
        return {"result": result}

    async def _rests(self, caller: Caller, approval: Approval) -> bool:
        """Whether one person may be behind both accounts: lately one made the other, or one both.

        On the first day of a box everybody was made by one person, who has root as a rule.
        """
        audit, since = self._owner.stores.audit, self._owner.clock() - RESTS
        begun = await audit.begun()
        if begun is None or begun > since or caller.name == approval.author:
            return False
        mine = await audit.makers(caller.name, since) | {caller.name}
        theirs = await audit.makers(approval.author, since) | {approval.author}
        return any(not name.startswith("cli:") for name in mine & theirs)

    async def _carry_out(self, approval: Approval, approver: Caller) -> Mapping[str, Any]:
        author = replace(approver, name=approval.author, agreed_by=approver.name)
        try:
            return await self._appliers[approval.method](approval.request, author, approver.name)
        except BaseException:
            await self._store.reopen(approval.id)
            raise
