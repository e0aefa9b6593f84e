"""The running policy: check → compile → store → swap → tell the workers.

Owns the one assignment that makes a policy live, and the file that a worker could start from
without the database. A failure at any step leaves the running policy as it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filterd import whole_files
from filterd.errors import ControlError, PolicyError, Problem, StorageError
from filterd.metrics import layout
from filterd.policy import diff, document, expect
from filterd.policy.model import Policy
from filterd.policy.ruleset import Ruleset, compile_ruleset
from filterd.policy.tables import Surroundings
from filterd.policy.taxonomy import Taxonomy
from filterd.policy.verdict import ListIndex
from filterd.storage.audit import Act, AuditLog
from filterd.storage.database import Database
from filterd.storage.revisions import ChangeText, Edit, Revision, Revisions, document_hash
from filterd.wire.names import Name

Publish = Callable[[dict[str, Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Ground:
    """What a policy is compiled on. `index_path` None: there are no compiled lists."""

    taxonomy: Taxonomy
    index: ListIndex
    index_path: Path | None
    surroundings: Surroundings
    parse: Callable[[Mapping[str, str], Taxonomy], Policy] = document.parse


@dataclass(frozen=True, slots=True)
class Running:
    """A policy that decides. `revision` 0: not stored (only while it is looked at)."""

    revision: int
    hash: str
    files: Mapping[str, str]
    policy: Policy
    ruleset: Ruleset


@dataclass(frozen=True, slots=True)
class Look:
    """A document beside the running one: what would change, which expectations would fail."""

    changes: tuple[ChangeText, ...]
    failures: tuple[expect.Failure, ...]
    candidate: Running

    @property
    def weakens(self) -> bool:
        """Whether any change lessens protection."""
        return any(change.weakens for change in self.changes)


class LivePolicy:
    """Holds the running policy and is the only way to another one."""

    def __init__(self, ground: Ground, publish: Publish, snapshot: Path) -> None:
        self.ground = ground
        self._stored: Stored | None = None
        self._publish = publish
        self._snapshot = snapshot
        self._lock = asyncio.Lock()
        self._running: Running | None = None
        self.at_trusted = True
        self.tiers: tuple[str, ...] = ()

    @property
    def loaded(self) -> bool:
        """Whether there is a running policy."""
        return self._running is not None

    @property
    def enforceable(self) -> bool:
        """Whether workers can be given a ruleset: without lists they refuse everything."""
        return self._running is not None and self.ground.index_path is not None

    @property
    def running(self) -> Running:
        """The running policy; StorageError before the first one is loaded."""
        if self._running is None:
            raise StorageError("no policy is running yet", "chưa có chính sách nào đang chạy")
        return self._running

    def attach(self, stored: Stored) -> None:
        """From now on edits can be stored; until then the filter runs without its database."""
        self._stored = stored

    def build(self, files: Mapping[str, str], revision: int = 0) -> Running:
        """Parse and compile; raises PolicyError with every mistake of the document."""
        ground = self.ground
        policy = ground.parse(files, ground.taxonomy)
        ruleset = compile_ruleset(
            policy, ground.taxonomy, ground.index, revision, ground.surroundings
        )
        return Running(revision, document_hash(files), dict(files), policy, ruleset)

    def assert_expected(self, files: Mapping[str, str]) -> None:
        """Raises PolicyError with every mistake of a document, or every expectation that fails."""
        candidate = self.build(files)
        if failures := expect.check(candidate.ruleset, candidate.policy):
            raise PolicyError([expect.problem(failure) for failure in failures])

    async def load(self, revision: int, files: Mapping[str, str]) -> None:
        """Make a stored revision the running one, without asking its expectations again."""
        async with self._lock:
            self._go(await asyncio.to_thread(self.build, files, revision))
            await self._spread()

    def _go(self, running: Running) -> None:
        """The swap. Tiers keep their place in the counters as long as these live."""
        self._running = running
        known = self.tiers or layout.STANDARD_TIERS
        new = tuple(tier.id for tier in running.policy.tiers if tier.id not in known)
        self.tiers = (*known, *new)

    async def first(self, files: Mapping[str, str], edit: Edit) -> None:
        """Store and run the very first revision; raises PolicyError when it has mistakes."""
        assert self._stored is not None
        await asyncio.to_thread(self.build, files)
        revision = await self._stored.append(edit, files, ())
        await self.load(revision.number, files)

    async def look(self, files: Mapping[str, str]) -> Look:
        """What `apply` would change; raises PolicyError with every mistake of the document."""
        return await asyncio.to_thread(self._look, files)

    def _look(self, files: Mapping[str, str]) -> Look:
        candidate = self.build(files)
        found = diff.diff(self.running.policy, candidate.policy, self.ground.taxonomy)
        forbidden = [change for change in found if change.forbidden]
        if forbidden:
            raise PolicyError([Problem("school.yaml", None, "authority", c.en, None, c.vi)
                               for c in forbidden])  # fmt: skip
        changes = tuple(ChangeText(c.vi, c.en, c.weakens) for c in found)
        failures = expect.check(candidate.ruleset, candidate.policy)
        return Look(changes, failures, candidate)

    async def apply(self, files: Mapping[str, str], edit: Edit, base: int | None) -> Revision:
        """Make a document the running policy and tell every worker before returning.

        `base` is the revision that the edit started from: ControlError `conflict` when another
        became current meanwhile; None skips that check. PolicyError: mistakes or a failed
        expectation. StorageError: it could not be stored.
        """
        async with self._lock:
            if self._stored is None:
                raise StorageError(
                    "the database is not open; the running policy goes on",
                    "cơ sở dữ liệu chưa mở; chính sách đang chạy vẫn tiếp tục",
                )
            if base is not None and base != self.running.revision:
                raise ControlError(
                    "conflict",
                    f"revision {self.running.revision} became current after {base} was read",
                )
            look = await self.look(files)
            if look.failures:
                raise PolicyError([expect.problem(failure) for failure in look.failures])
            revision = await self._stored.append(edit, files, look.changes)
            self._go(await asyncio.to_thread(self.build, files, revision.number))
            await self._spread()
        return revision

    async def use_lists(self, index: ListIndex, path: Path | None) -> None:
        """Put the running policy onto newly compiled lists and tell every worker."""
        async with self._lock:
            self.ground = replace(self.ground, index=index, index_path=path)
            if self._running is not None:
                running = self._running
                self._running = await asyncio.to_thread(self.build, running.files, running.revision)
                await self._spread()

    def failures_on(self, index: ListIndex) -> tuple[expect.Failure, ...]:
        """Expectations of the running policy that would fail on other lists."""
        ground, running = self.ground, self.running
        ruleset = compile_ruleset(
            running.policy, ground.taxonomy, index, running.revision, ground.surroundings
        )
        return expect.check(ruleset, running.policy)

    def frame(self) -> dict[str, Any]:
        """The `ruleset` frame of the worker link (architecture §6)."""
        path = self.ground.index_path
        return {
            "do": "ruleset",
            "files": dict(self.running.files),
            "revision": self.running.revision,
            "index": "" if path is None else str(path),
            "at_trusted": self.at_trusted,
            "tiers": list(self.tiers),
        }

    async def _spread(self) -> None:
        await self._publish(self.frame())
        running = self.running
        last = Snapshot(running.revision, running.files, self.tiers)
        await asyncio.to_thread(write_snapshot, self._snapshot, last)

    async def again(self) -> None:
        """Tell every worker anew (the trust in the clock changed)."""
        async with self._lock:
            await self._publish(self.frame())


class Stored:
    """Revisions and the audit log: an edit and its line are stored together or not at all."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self.revisions = Revisions(database)
        self._database = database
        self._audit = audit

    async def append(
        self, edit: Edit, files: Mapping[str, str], changes: tuple[ChangeText, ...]
    ) -> Revision:
        """Store a revision together with its line in the audit log, or neither."""
        async with self._database.write() as transaction:
            made = await self.revisions.append(transaction, edit, files, changes)
            weakens = "policy.weaken" if made.weakens else "policy.apply"
            act = Act(edit.author, weakens, f"revision {made.number}", edit.reason,
                      made.previous_hash, made.hash, edit.approver or "")  # fmt: skip
            await self._audit.append_in(transaction, act, edit.at)
        return made


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last policy that ran, and the places of its tiers in the counters."""

    revision: int
    files: Mapping[str, str]
    tiers: tuple[str, ...]


def write_snapshot(path: Path, last: Snapshot) -> None:
    """Replace the file, whole or not at all.

    A failure is only the loss of a second line of defence: the database has the revision.
    """
    body = {"revision": last.revision, "files": dict(last.files), "tiers": last.tiers,
            "hash": document_hash(last.files)}  # fmt: skip
    with contextlib.suppress(OSError):
        whole_files.replace(path, json.dumps(body, ensure_ascii=False).encode())


def read_snapshot(path: Path) -> Snapshot | None:
    """The last policy; None when there is none or its checksum is off."""
    try:
        body = json.loads(path.read_text("utf-8"))
        files = {str(name): str(text) for name, text in body["files"].items()}
        if document_hash(files) != body["hash"]:
            return None
        return Snapshot(int(body["revision"]), files, tuple(body["tiers"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def own_names(policy: Policy) -> frozenset[Name]:
    """The school's own names: no list blocks them."""
    return frozenset((*(record.name for record in policy.records), *policy.internal_zones))


def last_own_names(path: Path, taxonomy: Taxonomy) -> frozenset[Name]:
    """The same of the last policy that ran, for commands beside the service; none if unknown."""
    snapshot = read_snapshot(path)
    try:
        return own_names(document.parse(snapshot.files, taxonomy)) if snapshot else frozenset()
    except PolicyError:
        return frozenset()
