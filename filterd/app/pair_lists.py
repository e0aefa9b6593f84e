"""What two boxes answer by besides the policy: own, imported and fetched lists.

Reads the lists' folder for the other box, and takes what is newer there through the same doors as a
person's decision or an update: body by digest, compiled and held against the expectations, swapped.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from filterd import whole_files
from filterd.control.owner import Owner
from filterd.errors import ListError
from filterd.gateway import pair_lists
from filterd.gateway.pair import PairError, Version
from filterd.gateway.pair_lists import FETCHED, OWN, Piece, Sent, Shelf
from filterd.lists.refresher import Refresher
from filterd.lists.state import State
from filterd.lists.store import Busy
from filterd.storage.audit import Act

_log = logging.getLogger("filterd.pair")
_VALUE = "pair-lists"
_PREFIX = ".pair-"
"""Of a piece on its way; `Store.prune` knows no such files."""
_AGAIN_S = 600.0
"""Compiling takes a minute of a small box; what was refused is not tried every two seconds."""
Fetch = Callable[[str, str, Path], Awaitable[None]]
"""Brings a piece (place, digest) into a file."""


class SharedLists:
    """This box's side of it. `version` and `take` from one task at a time."""

    def __init__(self, owner: Owner, keeper: Refresher) -> None:
        self._owner, self._keeper = owner, keeper
        self._store = keeper.library.store
        self._digests: dict[str, tuple[tuple[int, int], Piece]] = {}
        self._seen: tuple[tuple[object, ...], Shelf] | None = None
        self._failed = ("", 0.0, "")

    async def version(self) -> Version:
        """Of the lists as they are now; one above the last where something was done meanwhile."""
        return (await self.current()).version

    async def current(self) -> Sent:
        """The lists as they are now, with their version."""
        shelf = await asyncio.to_thread(self.shelf)
        mine, values = shelf.hash, self._owner.stores.values
        stored = await values.get(_VALUE)
        if stored is None:
            found = Version(shelf.history, mine)
        else:
            found = Version(stored["generation"], stored["hash"]).after(mine)
        if stored is None or mine != stored["hash"]:
            await self._keep(found)
        return Sent(found, shelf)

    def shelf(self) -> Shelf:
        """What lies in the lists' folder, read again only when something changed. Blocking."""
        files = (self._store.folder / "state.json", *self._typed())
        stamp = tuple((str(path), *_stamp(path)) for path in files)
        if self._seen is None or self._seen[0] != stamp:
            self._seen = stamp, self._read()
        return self._seen[1]

    def _typed(self) -> tuple[Path, ...]:
        return (*self._store.local.glob("*.txt"), *self._store.imported.glob("*"))

    def _read(self) -> Shelf:
        state = pair_lists.shared(self._store.state())
        pieces: dict[str, Piece] = {}
        for key, each in state.sources.items():
            if each.current is not None:
                path = self._store.body(key, each.current)
                pieces[f"{FETCHED}/{key}/{each.current}"] = Piece(each.current, path.stat().st_size)
        for path in self._typed():
            place = f"{path.parent.name}/{path.name}"
            if pair_lists.PIECE.fullmatch(place):
                pieces[place] = self._piece(place, path)
        return Shelf(pieces, state)

    def _piece(self, place: str, path: Path) -> Piece:
        """Digest and size; a file is read again only when it changed."""
        stamp = _stamp(path)
        known = self._digests.get(place)
        if known is None or known[0] != stamp:
            known = stamp, Piece(_digest(path), stamp[0])
            self._digests[place] = known
        return known[1]

    def find(self, place: str, digest: str) -> Path | None:
        """The file of a piece that this box hands out, if it is still that one. Blocking."""
        piece = self.shelf().pieces.get(place)
        return self._store.folder / place if piece and piece.digest == digest else None

    async def take(self, sent: Sent, fetch: Fetch) -> None:
        """Use the other box's lists; PairError or ListError when that cannot be: then what was in
        use stays, and the same ones are tried again after ten minutes."""
        if sent.version <= (await self.current()).version:
            return
        now = asyncio.get_running_loop().time()
        hash, until, why = self._failed
        if hash == sent.shelf.hash and now < until:
            raise PairError(why)
        missing = await asyncio.to_thread(self._missing, sent.shelf)
        for left in self._store.folder.glob(f"{_PREFIX}*"):  # by a power cut
            left.unlink()
        came: dict[str, Path] = {}
        try:
            for number, (place, piece) in enumerate(missing.items()):
                came[place] = self._store.folder / f"{_PREFIX}{number}"
                await fetch(place, piece.digest, came[place])
                if await asyncio.to_thread(_digest, came[place]) != piece.digest:
                    raise PairError(f"{place} changed while it was fetched")
            await self._use(sent, came)
        finally:
            for part in came.values():
                part.unlink(missing_ok=True)

    def _missing(self, shelf: Shelf) -> dict[str, Piece]:
        mine = self.shelf().pieces
        return {
            place: piece
            for place, piece in shelf.pieces.items()
            if mine.get(place) != piece
            and not (place.startswith(FETCHED) and (self._store.folder / place).exists())
        }

    async def _use(self, sent: Sent, came: dict[str, Path]) -> None:
        own = {place: part for place, part in came.items() if place.startswith(f"{OWN}/")}
        others = {place: part for place, part in came.items() if place not in own}
        before = (await asyncio.to_thread(self.shelf)).hash

        def edit(state: State) -> State:
            # under the store's lock: no update that ends now takes the bodies for leftovers
            self._place(others)
            return pair_lists.merged(state, sent.shelf.state, str(self._store.imported))

        try:
            await self._keeper.change(edit)
        except Busy:  # somebody compiles by hand: in the next round
            return
        except ListError as error:
            again = asyncio.get_running_loop().time() + _AGAIN_S
            self._failed = sent.shelf.hash, again, f"the other box's lists: {error}"
            raise
        await asyncio.to_thread(self._own, own, sent)
        await self._keeper.reload()
        after = (await asyncio.to_thread(self.shelf)).hash
        # a list that only this box had stayed: then the other one takes it from here
        found = sent.version if after == sent.shelf.hash else sent.version.after(after)
        await self._keep(found)
        act = Act("filterd", "lists.pair", "", "từ hộp kia / from the other box", before, after)
        await self._owner.stores.audit.append(act, self._owner.clock())
        _log.info("lists of generation %d taken from the other box", found.generation)

    def _place(self, came: dict[str, Path]) -> None:
        self._store.prepare()
        for place, part in came.items():
            target = self._store.folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            whole_files.settle(part, target)

    def _own(self, came: dict[str, Path], sent: Sent) -> None:
        """The own lists as the other box has them; what is replaced stays beside it, unread."""
        for path in self._store.local.glob("*.txt"):
            place = f"{OWN}/{path.name}"
            if place in came or place not in sent.shelf.pieces:
                path.replace(path.with_suffix(".replaced"))
        self._place(came)

    async def _keep(self, version: Version) -> None:
        value = {"generation": version.generation, "hash": version.hash}
        await self._owner.stores.values.set(_VALUE, value)


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file; zeros when it is not there."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return 0, 0
    return about.st_size, about.st_mtime_ns


def _digest(path: Path) -> str:
    """As `lists.store` names a version."""
    found = hashlib.blake2b(digest_size=12)
    with path.open("rb") as content:
        while piece := content.read(1 << 20):
            found.update(piece)
    return found.hexdigest()
