"""`policy.*`: reading, checking, previewing, applying, history and going back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filterd.control.blast import Blast, Seen, blast
from filterd.control.edits import Proposal, put_or_ask
from filterd.control.owner import Apply, Owner, limited, not_found, required_reason
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Nothing, Route, plain
from filterd.errors import PolicyError, Problem
from filterd.live import LivePolicy
from filterd.policy import expect, taxonomy
from filterd.policy.schema import schema
from filterd.storage.revisions import Revision


@dataclass(frozen=True, slots=True)
class Files:
    """A document: file name → YAML."""

    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Get:
    """The running document; with `have`, its hash, a caller that has it is spared the texts."""

    have: str | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """A document and the revision that it was made from."""

    files: dict[str, str]
    base: int


@dataclass(frozen=True, slots=True)
class ApplyFiles:
    """A document to make live; `approval` is the id of an earlier wish, for reference."""

    files: dict[str, str]
    base: int
    reason: str
    approval: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Revisions from the newest downwards."""

    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class ByNumber:
    """One revision."""

    revision: int


@dataclass(frozen=True, slots=True)
class Rollback:
    """Make the document of an older revision live again, as a new revision."""

    revision: int
    reason: str
    approval: str | None = None


def routes(owner: Owner, live: LivePolicy, seen: Seen) -> dict[str, Route]:
    """The methods of this noun."""
    noun = _Policy(owner, live, seen)
    return {
        "policy.get": Route(Get, Permission.VIEW, noun.get),
        "policy.check": Route(Files, Permission.VIEW, noun.check),
        "policy.preview": Route(Preview, Permission.EDIT, noun.preview),
        "policy.apply": Route(ApplyFiles, Permission.EDIT, noun.apply),
        "policy.history": Route(Page, Permission.VIEW, noun.history),
        "policy.revision": Route(ByNumber, Permission.VIEW, noun.revision),
        "policy.rollback": Route(Rollback, Permission.EDIT, noun.rollback),
        "policy.schema": Route(Nothing, Permission.VIEW, noun.schema),
    }


def appliers(owner: Owner, live: LivePolicy) -> dict[str, Apply]:
    """How an approved policy change is carried out."""

    async def apply(request: Mapping[str, Any], author: Caller, approver: str) -> dict[str, Any]:
        proposal = Proposal(request["files"], request["base"], request["reason"], approver)
        return {"revision": await put_or_ask(owner, live, author, ("policy.apply", proposal))}

    return {"policy.apply": apply}


class _Policy:
    def __init__(self, owner: Owner, live: LivePolicy, seen: Seen) -> None:
        self._owner = owner
        self._live = live
        self._seen = seen
        self._revisions = owner.stores.revisions

    async def get(self, caller: Caller, request: Get) -> dict[str, Any]:
        running = self._live.running
        if request.have == running.hash:
            return {"revision": running.revision, "hash": running.hash}
        texts = _taxonomy_files(self._owner.settings.blocklists)
        return {"revision": running.revision, "hash": running.hash, "files": running.files,
                "taxonomy": texts}  # fmt: skip

    async def check(self, caller: Caller, request: Files) -> dict[str, Any]:
        try:
            look = await self._live.look(request.files)
        except PolicyError as error:
            return {"problems": error.problems, "failures": []}
        return {"problems": [], "failures": _failures(look.failures)}

    async def preview(self, caller: Caller, request: Preview) -> dict[str, Any]:
        try:
            look = await self._live.look(request.files)
        except PolicyError as error:
            return {"problems": error.problems, "changes": [], "failures": [], "weakens": False,
                    "needs_approval": False, "blast": plain(Blast())}  # fmt: skip
        problems = []
        if request.base != self._live.running.revision:
            problems.append(
                Problem("", None, "base", f"revision {self._live.running.revision} is current now",
                        None, f"bản {self._live.running.revision} đang chạy")
            )  # fmt: skip
        names = await self._seen.names()
        rulesets = (self._live.running.ruleset, look.candidate.ruleset)
        return {
            "problems": problems,
            "changes": look.changes,
            "failures": _failures(look.failures),
            "weakens": look.weakens,
            "needs_approval": look.weakens and not caller.local,
            "blast": blast(names, rulesets, self._owner.clock()),
        }

    async def apply(self, caller: Caller, request: ApplyFiles) -> dict[str, Any]:
        proposal = Proposal(request.files, request.base, required_reason(request.reason))
        return {"revision": await self._put(caller, proposal)}

    async def _put(self, caller: Caller, proposal: Proposal) -> int:
        """Apply or ask; a document that is refused stays in the record too: whoever tries to open
        what is locked is seen trying (requirements §4.5, T1)."""
        try:
            return await put_or_ask(self._owner, self._live, caller, ("policy.apply", proposal))
        except PolicyError as error:
            first = error.problems[0]
            where = f"{first.file}: {first.key}"[:120]
            await self._owner.audit(caller, "policy.refused", where, proposal.reason)
            raise

    async def history(self, caller: Caller, request: Page) -> dict[str, Any]:
        limit = limited(request.limit)
        found = await self._revisions.page(request.before, limit + 1)
        current = self._live.running.revision
        return {"items": [_item(r, current) for r in found[:limit]], "more": len(found) > limit}

    async def revision(self, caller: Caller, request: ByNumber) -> dict[str, Any]:
        found = await self._get(request.revision)
        return {**_item(found, self._live.running.revision), "files": found.files,
                "changes": found.changes, "approved_by": found.edit.approver}  # fmt: skip

    async def rollback(self, caller: Caller, request: Rollback) -> dict[str, Any]:
        found = await self._get(request.revision)
        base = self._live.running.revision
        proposal = Proposal(found.files, base, required_reason(request.reason))
        return {"revision": await self._put(caller, proposal)}

    async def schema(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        return dict(schema(self._live.ground.taxonomy))

    async def _get(self, number: int) -> Revision:
        found = await self._revisions.get(number)
        if found is None:
            raise not_found("revision")
        return found


def _item(revision: Revision, current: int) -> dict[str, Any]:
    return {"revision": revision.number, "at": revision.edit.at, "author": revision.edit.author,
            "reason": revision.edit.reason, "hash": revision.hash, "weakens": revision.weakens,
            "current": revision.number == current}  # fmt: skip


def _failures(found: tuple[expect.Failure, ...]) -> list[dict[str, Any]]:
    return [
        {"tier": f.tier, "name": f.expectation.name, "wanted": f.expectation.outcome,
         "got": f.outcome, "period": f.period}
        for f in found
    ]  # fmt: skip


def _taxonomy_files(directory: Path) -> dict[str, str]:
    return {name: (directory / name).read_text("utf-8") for name in taxonomy.FILES}
