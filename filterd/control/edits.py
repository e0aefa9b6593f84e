"""Edits of parts of the policy: the document is changed as a whole and applied like any other.

Files that an edit does not touch keep their text, comments included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from filterd.control.approvals import Wish, second_person
from filterd.control.owner import Owner
from filterd.control.protocol import Caller, Refusal, plain
from filterd.live import LivePolicy, Look
from filterd.policy.dump import dump
from filterd.policy.model import Override, Policy
from filterd.storage.revisions import Edit

Change = Callable[[Policy], Policy]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A document to be applied, on which base, why, and by whose approval."""

    files: Mapping[str, str]
    base: int | None
    reason: str
    approver: str | None = None


def changed_files(live: LivePolicy, change: Change, at: datetime) -> dict[str, str]:
    """The running document with a change; overrides and exams that have ended are left out."""
    running = live.running
    old = dump(running.policy)
    new = dump(change(_without_ended(running.policy, at)))
    return {
        name: running.files[name] if old.get(name) == text and name in running.files else text
        for name, text in new.items()
    }


def _without_ended(policy: Policy, at: datetime) -> Policy:
    return replace(
        policy,
        overrides=tuple(o for o in policy.overrides if o.expires is None or o.expires > at),
        exams=tuple(exam for exam in policy.exams if exam.until > at),
    )


async def put(owner: Owner, live: LivePolicy, caller: Caller, proposal: Proposal) -> int:
    """Apply a document in the caller's name; the new revision's number."""
    approver = proposal.approver or caller.agreed_by
    edit = Edit(caller.name, proposal.reason, owner.clock(), approver)
    return (await live.apply(proposal.files, edit, proposal.base)).number


async def put_or_ask(
    owner: Owner, live: LivePolicy, caller: Caller, wish: tuple[str, Proposal]
) -> int:
    """Apply a document, or file a wish for a second person when it weakens protection."""
    method, proposal = wish
    look = await live.look(proposal.files)
    if look.weakens and proposal.approver is None:
        weakening = [change for change in look.changes if change.weakens]
        request: dict[str, Any] = {"files": plain(proposal.files), "base": proposal.base,
                                   "reason": proposal.reason}  # fmt: skip
        await second_person(
            owner, caller,
            Wish(method, request, weakening[0].vi, weakening[0].en, proposal.reason, look.changes),
        )  # fmt: skip
    check_exceptions(live, look, caller, proposal.approver)
    return await put(owner, live, caller, proposal)


def check_exceptions(live: LivePolicy, look: Look, caller: Caller, approver: str | None) -> None:
    """A new exception to the floor must name the people who really made and approved it."""
    known = {_key(override) for override in live.running.policy.overrides}
    for override in look.candidate.policy.overrides:
        if override.exception is None or _key(override) in known or caller.local:
            continue
        if override.author != caller.name or override.exception.approved_by != approver:
            raise Refusal(
                "invalid",
                f"Ngoại lệ cho {override.name} phải ghi đúng người lập và người duyệt",
                f"The exception for {override.name} must name its real author and approver",
            )


def _key(override: Override) -> tuple[Any, ...]:
    return (override.name, override.tiers, override.segments, override.author,
            override.expires, override.exception)  # fmt: skip
