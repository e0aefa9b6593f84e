"""The policy store without a daemon: the same checks, the same history, the same audit."""

from __future__ import annotations

import asyncio
import fcntl
import getpass
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from filterd.app import stores
from filterd.app.first_start import policy_files
from filterd.app.lists import first_index, open_lists
from filterd.app.state_dir import Holder
from filterd.config import Settings
from filterd.control.owner import Stores
from filterd.errors import ControlError, FilterdError
from filterd.live import Ground, LivePolicy, Stored
from filterd.policy import taxonomy
from filterd.policy.model import Name
from filterd.policy.tables import Surroundings
from filterd.storage.revisions import Edit, Revision, document_hash

T = TypeVar("T")


class OfflinePolicies:
    """Opens the database for one operation at a time, holding the state directory meanwhile."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def held(self) -> bool:
        """Whether a supervisor holds the state directory now."""
        path = self._settings.state_dir / "run" / "holder"
        try:
            handle = os.open(path, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    def current(self) -> dict[str, Any]:
        """The newest revision; before the first start what would be imported, as revision 0."""
        if not self._database.exists():
            return self._unborn()

        async def read(found: Stores) -> dict[str, Any]:
            newest = await found.revisions.newest()
            if newest is None:
                return self._unborn()
            return {"revision": newest.number, "hash": newest.hash, "files": dict(newest.files)}

        return self._with(read)

    def _unborn(self) -> dict[str, Any]:
        files = policy_files(self._settings.policies)
        return {"revision": 0, "hash": document_hash(files), "files": files}

    def history(self) -> list[dict[str, Any]]:
        """Revisions, the newest first."""
        if not self._database.exists():
            return []

        async def read(found: Stores) -> list[dict[str, Any]]:
            items = await found.revisions.page(None, 200)
            return [
                {"revision": r.number, "at": r.edit.at.isoformat(), "author": r.edit.author,
                 "reason": r.edit.reason, "weakens": r.weakens, "current": r is items[0]}
                for r in items
            ]  # fmt: skip

        return self._with(read)

    def apply(self, files: dict[str, str], reason: str) -> int:
        """Make a document the newest revision, as the running service would; its number.

        PolicyError: mistakes, a failed expectation, an authority's order removed.
        """

        async def write(found: Stores) -> int:
            live = await self._live()
            live.attach(Stored(found.database, found.audit))
            edit = Edit(f"cli:{getpass.getuser()}", reason, datetime.now(UTC))
            newest = await found.revisions.newest()
            if newest is None:
                live.assert_expected(files)
                await live.first(files, edit)
                return live.running.revision
            await live.load(newest.number, newest.files)
            return (await live.apply(files, edit, None)).number

        return self._with(write)

    def check(self, files: dict[str, str]) -> None:
        """PolicyError with every mistake of a document, or every expectation that fails."""

        async def judge() -> None:
            (await self._live()).assert_expected(files)

        asyncio.run(judge())

    async def _live(self) -> LivePolicy:
        """The same checks and the same path as in the service, with no worker to tell."""

        async def nobody(frame: dict[str, Any]) -> None:
            return None

        settings = self._settings
        await first_index(settings)
        index, path = open_lists(settings)
        served = tuple(Name(zone) for zone, _ in settings.conditional)
        known = taxonomy.load(settings.blocklists)
        ground = Ground(known, index, path, Surroundings(served))
        return LivePolicy(ground, nobody, settings.state_dir / "run" / "policy-last.json")

    def rollback(self, number: int, reason: str) -> int:
        """Store an older document as the newest revision; its number."""

        async def read(found: Stores) -> Revision | None:
            return await found.revisions.get(number)

        revision = self._with(read)
        if revision is None:
            raise ControlError("not_found", f"there is no revision {number}")
        return self.apply(dict(revision.files), reason)

    @property
    def _database(self) -> Path:
        return self._settings.state_dir / "filterd.db"

    def _with(self, work: Callable[[Stores], Awaitable[T]]) -> T:
        holder = Holder.take(self._settings.state_dir)
        try:
            return asyncio.run(self._opened(work))
        finally:
            holder.release()

    async def _opened(self, work: Callable[[Stores], Awaitable[T]]) -> T:
        database, rescue = await stores.open_stores(self._settings)
        try:
            if rescue is not None:
                raise FilterdError(f"the database was damaged and kept as {rescue.damaged}")
            return await work(stores.stores_of(database))
        finally:
            await database.close()
