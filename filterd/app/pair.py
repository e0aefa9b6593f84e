"""Two boxes that answer alike: this one's line to the other, and what keepalived is told about it.

Each box serves its policy, its lists (`pair_lists`) and the office's bundle, signed, and asks for
the other's; the newer one (`gateway.pair`) is taken through the same door as an edit: checked, its
expectations held, stored, swapped.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filterd import tasks
from filterd.app.pair_lists import SharedLists
from filterd.config import PairSettings
from filterd.control.owner import Owner
from filterd.errors import FilterdError
from filterd.evidence import signing
from filterd.evidence.office_link import OfficeLink
from filterd.gateway import pair, pair_link, pair_lists
from filterd.gateway.pair import Copy, PairError, Version
from filterd.gateway.standing import Standing, tell
from filterd.live import LivePolicy
from filterd.storage.revisions import Edit

_log = logging.getLogger("filterd.pair")
EVERY_S = 2.0
_ALONE_AFTER = 3
"""Rounds without an answer until this box counts as the only one."""
_VALUE = "pair"
_OFFICE_KIND, _NO_HASH = "pair-office", "0" * 64


@dataclass(frozen=True, slots=True)
class Shares:
    """What both boxes answer by besides the policy."""

    lists: SharedLists
    office: OfficeLink


class PairLine:
    """From `start` to `stop`, when the settings name another box."""

    def __init__(
        self, owner: Owner, live: LivePolicy, settings: PairSettings, share: Shares
    ) -> None:
        self._owner, self._live, self._settings = owner, live, settings
        self._lists, self._office = share.lists, share.office
        self._run = owner.settings.state_dir / "run"
        keys = owner.settings.state_dir / "keys"
        self._key = signing.device_key(keys)
        own = pair_link.make_certificate(self._key.private, keys)
        self._files = (own, keys / signing.KEY_FILE)
        serve = {pair_link.POLICY: self._serve, pair_link.LISTS: self._serve_lists,
                 pair_link.OFFICE: self._serve_office}  # fmt: skip
        self._door = pair_link.Door(serve, self._lists.find)
        self._lock = asyncio.Lock()
        self._pinned: tuple[bytes, ssl.SSLContext] | None = None
        self._standing = Standing()
        self._loop: asyncio.Task[Any] | None = None

    def start(self) -> None:
        """Begin to serve and to ask."""
        self._report()
        self._loop = tasks.spawn(self._rounds(), "pair")

    def stop(self) -> None:
        """End both."""
        if self._loop is not None:
            self._loop.cancel()
        self._door.stop()

    async def _rounds(self) -> None:
        while True:
            before = (self._standing.state, self._standing.problem)
            try:
                await self._round()
            except PairError as error:
                self._refused(str(error))
            except FilterdError as error:
                self._refused(f"what the other box has is not taken: {error}")
            except (OSError, TimeoutError) as error:
                self._unanswered(str(error) or "no answer")
            if before != (self._standing.state, self._standing.problem):
                _log.info("the other box: %s %s", self._standing.state, self._standing.problem)
            self._report()
            await asyncio.sleep(EVERY_S)

    async def _round(self) -> None:
        public, tls = await self._pin()
        peer = self._settings.peer
        other = pair_link.Other(peer.host, peer.port, tls)
        if envelope := await pair_link.fetch(other, await self._version()):
            signed = signing.decode(envelope, pair.LIMIT_BYTES)
            await self._take(pair.decode(signing.verify(signed, public, pair.KIND)))
        await self._round_lists(public, other)
        await self._round_office(public, other)
        self._standing = Standing("same")

    async def _round_lists(self, public: bytes, other: pair_link.Other) -> None:
        have = await self._lists.version()
        envelope = await pair_link.fetch(other, have, pair_link.LISTS)
        if not envelope:
            return
        signed = signing.decode(envelope, pair.LIMIT_BYTES)
        sent = pair_lists.decode(signing.verify(signed, public, pair_lists.KIND))

        async def bring(place: str, digest: str, into: Path) -> None:
            await pair_link.fetch_piece(other, place, digest, into)

        await self._lists.take(sent, bring)

    async def _round_office(self, public: bytes, other: pair_link.Other) -> None:
        """The office's bundle counts by the office's own version, whichever box has the line."""
        have = Version(int(self._office.version or 0), _NO_HASH)
        if envelope := await pair_link.fetch(other, have, pair_link.OFFICE):
            signed = signing.decode(envelope, pair.LIMIT_BYTES)
            await self._office.take(signing.verify(signed, public, _OFFICE_KIND))
        await self._office.next_day()

    async def _serve_lists(self, theirs: Version) -> bytes:
        mine = await self._lists.current()
        if mine.version <= theirs:
            return b""
        return self._key.sign(pair_lists.KIND, pair_lists.encode(mine)).encode()

    async def _serve_office(self, theirs: Version) -> bytes:
        carried = await asyncio.to_thread(self._office.carried, theirs.generation)
        return b"" if carried is None else self._key.sign(_OFFICE_KIND, carried).encode()

    async def _pin(self) -> tuple[bytes, ssl.SSLContext]:
        """The other box's key as its certificate is now; the door opens with the first one."""
        public = await asyncio.to_thread(pair_link.public_of, self._settings.certificate)
        if self._pinned is None or self._pinned[0] != public:
            other = self._settings.certificate
            tls = pair_link.context(False, self._files, other)
            self._door.stop()
            listen = self._settings.listen
            await self._door.start(
                listen.host, listen.port, pair_link.context(True, self._files, other)
            )
            self._pinned = (public, tls)
        return self._pinned

    async def _serve(self, theirs: Version) -> bytes:
        """Our policy, signed; nothing when theirs is not older."""
        mine = await self._version()
        newest = await self._owner.stores.revisions.newest()
        if mine <= theirs or newest is None:
            return b""
        edit = newest.edit
        copy = Copy(mine, self._live.running.files, edit.author, edit.reason, edit.approver)
        return self._key.sign(pair.KIND, pair.encode(copy)).encode()

    async def _version(self) -> Version:
        """Ours. A box that was never one of two begins with the number of its edits, so that one
        with a history teaches one that was just installed."""
        async with self._lock:
            return await self._current()

    async def _current(self) -> Version:
        running, values = self._live.running, self._owner.stores.values
        stored = await values.get(_VALUE)
        if stored is None:
            mine = Version(running.revision, running.hash)
        else:
            mine = Version(stored["generation"], stored["hash"]).after(running.hash)
        if stored is None or mine.hash != stored["hash"]:
            await values.set(_VALUE, {"generation": mine.generation, "hash": mine.hash})
        return mine

    async def _take(self, copy: Copy) -> None:
        async with self._lock:
            if copy.version <= await self._current():
                return
            if copy.version.hash != self._live.running.hash:
                reason = f"từ hộp kia / from the other box: {copy.reason}"[:500]
                edit = Edit(copy.author, reason, self._owner.clock(), copy.approver)
                await self._live.apply(copy.files, edit, None)
            value = {"generation": copy.version.generation, "hash": copy.version.hash}
            await self._owner.stores.values.set(_VALUE, value)
        _log.info("generation %d taken from the other box", copy.version.generation)

    def _refused(self, problem: str) -> None:
        self._standing = Standing("refused", problem)

    def _unanswered(self, problem: str) -> None:
        was = self._standing
        silent = was.silent + 1
        state = was.state
        if state != "refused" and silent >= _ALONE_AFTER:
            state = "alone"
        self._standing = Standing(state, was.problem if state == "refused" else problem, silent)

    def _report(self) -> None:
        try:
            tell(self._run, self._standing)
        except OSError as error:
            _log.error("keepalived cannot be told: %s", error)
