"""The owner of the lists in the supervisor: keeps them fresh, and carries out what people decide.

One change at a time, in a thread, under the lock of the store. What it needs of the rest of the
service are `Hooks`; it knows no policy and no worker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from filterd.errors import ListError
from filterd.lists.catalogue import Source
from filterd.lists.library import Check, Library, Refused
from filterd.lists.progress import Progress
from filterd.lists.state import Quarantine, SourceState, State, Version
from filterd.lists.update import Download, Fetching, Outcome, Result, download, settle

_log = logging.getLogger("filterd.lists")
TURN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Hooks:
    """`use` puts an index file in use (awaited, everywhere); `check` says what the policy has
    against one (blocking); `clock` is aware."""

    use: Callable[[Path], Awaitable[None]]
    check: Check
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Times:
    """When not to fetch: the school day. A list that was never fetched does not wait."""

    quiet: tuple[tuple[time, time], ...] = ((time(6, 0), time(18, 0)),)
    zone: str = "Asia/Ho_Chi_Minh"

    def allows(self, at: datetime) -> bool:
        """Whether updates may run now."""
        now = at.astimezone(ZoneInfo(self.zone)).time()
        return not any(start <= now < end for start, end in self.quiet)


class Refresher:
    """Keeps the lists of a library fresh."""

    def __init__(
        self,
        library: Library,
        hooks: Hooks,
        how: Fetching | None = None,
        times: Times | None = None,
    ) -> None:
        self.library = library
        self.progress = Progress()
        self._hooks = hooks
        self._how = replace(how or Fetching(), progress=self._note)
        self._times = times or Times()
        self._lock = asyncio.Lock()
        self._running = asyncio.Lock()
        self._swapping = asyncio.Lock()

    async def run(self) -> None:
        """Update what is due, for ever; a failure is logged and told in the status."""
        await asyncio.to_thread(self.library.store.prepare)
        await self._catch_up()
        while True:
            try:
                due = await asyncio.to_thread(self.due)
                if due:
                    await self.update(due)
            except (ListError, OSError) as error:
                _log.error("lists: %s", error)
            await asyncio.sleep(TURN_SECONDS)

    async def _catch_up(self) -> None:
        """Compile what was fetched before the power went, but not compiled."""
        try:
            if await asyncio.to_thread(self.library.is_behind):
                await self.change(lambda state: state)
        except (ListError, OSError) as error:
            _log.error("lists fetched before the restart are not in use: %s", error)

    def due(self) -> tuple[str, ...]:
        """Ids of the lists whose time has come."""
        at, state = self._hooks.clock(), self.library.store.state()
        allowed = self._times.allows(at)
        return tuple(
            source.id
            for source in self.library.sources(state)
            if source.enabled
            and source.url is not None
            and _is_due(state.of(source.id), at, allowed)
        )

    async def update(self, ids: Sequence[str] = ()) -> tuple[Outcome, ...]:
        """Fetch these lists (none named: all enabled), compile when one changed, use it.

        One run at a time. The lists are locked only while something is changed, never while a
        server is waited for, so that decisions of people do not wait either.
        """
        async with self._running:
            self.progress.running = True
            try:
                outcomes = await self._update(tuple(ids))
            finally:
                self.progress.running, self.progress.list = False, None
        self.progress.results |= {outcome.id: outcome for outcome in outcomes}
        _tell(outcomes)
        return outcomes

    async def _update(self, ids: tuple[str, ...]) -> tuple[Outcome, ...]:
        before = await asyncio.to_thread(self.library.store.state)
        sources = await asyncio.to_thread(self.library.sources, before)
        # Reading the certificates of all authorities takes 40 ms: once for a run, not for a list.
        access = await asyncio.to_thread(self._how.access.with_authorities)
        how = replace(self._how, access=access)
        outcomes: list[Outcome] = []
        same: list[tuple[Source, Download]] = []
        for source in (source for source in sources if _wanted(source, ids)):
            known = before.of(source.id)
            came = await asyncio.to_thread(download, self.library, source, known, how)
            if came.got is None and came.error is None:
                same.append((source, came))
                continue
            outcomes += await self._settle(((source, came),))
        # Lists that have not changed are noted together: twenty of them cost one write.
        outcomes += await self._settle(same)
        changed = {o.id for o in outcomes if o.outcome is Result.CHANGED}
        if not changed:
            return tuple(outcomes)
        async with self._lock:
            error = await asyncio.to_thread(self._compile, before, changed)
            if error is None:
                await self.reload()
                return tuple(outcomes)
        result = Result.QUARANTINED if isinstance(error, Refused) else Result.FAILED
        return tuple(Outcome(o.id, result, str(error)) if o.id in changed else o for o in outcomes)

    async def _settle(self, fetched: Sequence[tuple[Source, Download]]) -> list[Outcome]:
        if not fetched:
            return []
        async with self._lock:
            return await asyncio.to_thread(self._settle_all, fetched)

    def _settle_all(self, fetched: Sequence[tuple[Source, Download]]) -> list[Outcome]:
        store, outcomes = self.library.store, []
        with store.locked():
            state = store.state()
            for one in fetched:
                state, outcome = settle(self.library, state, one, self._hooks.clock(), self._how)
                outcomes.append(outcome)
            store.save(state)
            store.prune(state)
        return outcomes

    def _compile(self, before: State, changed: set[str]) -> ListError | None:
        """Compile with the new versions; on failure take them back and say why."""
        with self.library.store.locked():
            try:
                self.library.compile(self._hooks.check)
            except ListError as error:
                self._undo(before, changed, error)
                return error
        return None

    def _note(self, list_id: str, size: int, whole: int | None) -> None:
        self.progress.list, self.progress.bytes, self.progress.whole = list_id, size, whole

    def _undo(self, before: State, changed: set[str], error: ListError) -> None:
        """Take the versions back that the index could not be made with: into quarantine when the
        policy is against them, else to be tried again."""
        state = self.library.store.state()
        refused = error.failures if isinstance(error, Refused) else ()
        for list_id in changed:
            now, old = state.of(list_id), before.of(list_id)
            fresh = next(v for v in now.versions if v.version == now.current)
            state = state.put(list_id, _taken_back(now, old, fresh, refused, str(error)))
        self.library.store.save(state)

    async def reload(self) -> None:
        """Use the index that the link names now, with the own lists as they are now. Does not
        wait for a compilation: an edit of the school's own list acts at once."""
        async with self._swapping:
            await self._hooks.use(await asyncio.to_thread(self.library.store.index.resolve))

    async def change(self, edit: Callable[[State], State]) -> None:
        """Change what is remembered, compile, use; nothing is changed when compiling fails."""
        async with self._lock:
            await asyncio.to_thread(self._change, edit)
            await self.reload()

    def _change(self, edit: Callable[[State], State]) -> None:
        store = self.library.store
        with store.locked():
            before = store.state()
            store.save(edit(before))
            try:
                self.library.compile(self._hooks.check)
            except ListError:
                store.save(before)
                raise
            store.prune(store.state())

    async def approve(self, list_id: str) -> None:
        """Let the quarantined version go live; ListError when none waits."""
        await self.change(lambda state: state.put(list_id, approved(state.of(list_id), list_id)))

    async def refuse(self, list_id: str) -> None:
        """Throw the quarantined version away; the same octets are not offered again."""
        async with self._lock:
            await asyncio.to_thread(self._refuse, list_id)

    def _refuse(self, list_id: str) -> None:
        store = self.library.store
        with store.locked():
            state = store.state()
            known = state.of(list_id)
            waits = waiting(known, list_id)
            refused = (*known.refused, waits.version.version)
            state = state.put(list_id, replace(known, quarantine=None, refused=refused[-20:]))
            store.save(state)
            store.prune(state)

    async def rollback(self, list_id: str, version: str | None = None) -> None:
        """Put an older version in use; the one left behind is not taken again by itself."""
        await self.change(
            lambda state: state.put(list_id, rolled_back(state.of(list_id), list_id, version))
        )


def _tell(outcomes: Sequence[Outcome]) -> None:
    """One line in the log, however many lists: a school without Internet has all of them fail."""
    bad = [o for o in outcomes if o.outcome in (Result.FAILED, Result.QUARANTINED)]
    if bad:
        _log.warning(
            "%d of %d lists not updated, the versions in use stay (filterd lists status); %s: %s",
            len(bad), len(outcomes), bad[0].id, bad[0].why,
        )  # fmt: skip


def _is_due(known: SourceState, at: datetime, allowed: bool) -> bool:
    if known.due is None:
        return True
    if known.current is not None and not allowed:
        return False
    # A clock that went back (no battery, 1970) must not stop updates for years.
    checked = datetime.fromisoformat(known.checked) if known.checked else at
    return datetime.fromisoformat(known.due) <= at or checked > at + timedelta(days=1)


def _wanted(source: Source, ids: tuple[str, ...]) -> bool:
    return source.url is not None and (source.id in ids if ids else source.enabled)


def _taken_back(
    now: SourceState, old: SourceState, fresh: Version, refused: tuple[str, ...], error: str
) -> SourceState:
    back = replace(now, current=old.current, changed=old.changed, versions=old.versions)
    if not refused:
        return replace(back, error=error, failures=old.failures + 1, etag=None, modified=None)
    before = next((v.entries for v in old.versions if v.version == old.current), 0)
    return replace(back, quarantine=Quarantine(fresh, refused, before, fresh.entries))


def waiting(known: SourceState, list_id: str) -> Quarantine:
    """What waits in quarantine; ListError when nothing does."""
    if known.quarantine is None:
        raise ListError(f"nothing of {list_id!r} waits for a decision")
    return known.quarantine


def approved(known: SourceState, list_id: str) -> SourceState:
    """The state after a person let the quarantined version pass."""
    waits = waiting(known, list_id)
    passed = tuple(dict.fromkeys((*known.approved, *waits.protected)))
    return replace(known.with_version(waits.version), approved=passed)


def rolled_back(known: SourceState, list_id: str, version: str | None) -> SourceState:
    """The state with an older version in use: the one named, else the one before."""
    older = [v for v in known.versions if v.version != known.current]
    chosen = [v for v in older if version is None or v.version == version]
    if not chosen:
        raise ListError(f"there is no other version of {list_id!r} to go back to")
    refused = (*known.refused, known.current) if known.current else known.refused
    kept = tuple(r for r in refused if r != chosen[0].version)[-20:]
    return replace(known, current=chosen[0].version, changed=chosen[0].at, refused=kept)
