"""The lists as one of two boxes hands them to the other: which files, and what was decided on them.

Pure. Own lists, imported ones and the bodies of fetched ones are `Piece`s, named by their content;
the office's signed bundle travels beside them and counts by its own version. Which of two `Shelf`s
is the newer one is `gateway.pair.Version`'s business, as for the policy.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from filterd.errors import ListError
from filterd.gateway.pair import PairError, Version
from filterd.lists import state as states
from filterd.lists.state import SourceState, State

FORMAT = "filterd.pair-lists/1"
KIND = "pair-lists"
OWN, IMPORTED, FETCHED = "local", "imported", "sources"
PIECE = re.compile(
    r"(?:local/[a-z0-9_]{1,64}\.txt|imported/\w[\w.@+-]{0,120}"
    r"|sources/\w[\w.@+-]{0,120}/[0-9a-f]{24})"
)
"""Where a piece may lie below the lists' folder; nothing else is asked for, served or written."""
LIMIT_BYTES = 256 << 20
"""Of one piece: what `lists.fetch` takes at most of a source, with room."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A file: BLAKE2b-96 of its content, in hex (a version of `lists.store`), and its size."""

    digest: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Shelf:
    """The files by their place below the lists' folder, and the decisions about lists (`State`
    without what describes this box alone)."""

    pieces: Mapping[str, Piece]
    state: State

    @property
    def hash(self) -> str:
        """The same on two boxes whose lists say the same; times and validators do not count."""
        state = self.state
        sources = {
            key: [each.current, sorted(each.approved), sorted(each.refused)]
            for key, each in state.sources.items()
            if each.current or each.approved or each.refused
        }
        own = {path: piece.digest for path, piece in self.pieces.items() if not _fetched(path)}
        told = {"added": list(state.added), "switched": dict(state.switched), "sources": sources,
                "imported": list(state.imported), "own": own}  # fmt: skip
        return hashlib.sha256(_written(told)).hexdigest()

    @property
    def history(self) -> int:
        """How much was done here: with what generation a box begins that becomes one of two."""
        state = self.state
        fetched = sum(len(each.versions) for each in state.sources.values())
        own = sum(not _fetched(path) for path in self.pieces)
        return fetched + own + len(state.added) + len(state.switched)


@dataclass(frozen=True, slots=True)
class Sent:
    """What travels, signed."""

    version: Version
    shelf: Shelf


def shared(state: State) -> State:
    """What of the state both boxes have: decisions, the version in use, when to look again."""
    sources = {}
    for key, each in state.sources.items():
        kept = tuple(version for version in each.versions if version.version == each.current)
        sources[key] = SourceState(
            checked=each.checked, changed=each.changed, etag=each.etag, modified=each.modified,
            url=each.url, versions=kept, current=each.current, refused=each.refused,
            approved=each.approved, due=each.due,
        )  # fmt: skip
    imported = tuple({**each, "path": each["path"].rpartition("/")[2]} for each in state.imported)
    return State(sources, state.added, state.switched, imported)


def merged(mine: State, theirs: State, imported_in: str) -> State:
    """This box's state with the other's decisions. A list that the other has no body of stays: two
    boxes together have what either has, and the other takes it from here."""
    sources = dict(mine.sources)
    for key, each in theirs.sources.items():
        sources[key] = _source(mine.of(key), each)
    imported = tuple({**each, "path": f"{imported_in}/{each['path']}"} for each in theirs.imported)
    return replace(
        mine, sources=sources, added=theirs.added, switched=theirs.switched, imported=imported
    )


def _source(mine: SourceState, theirs: SourceState) -> SourceState:
    waits = mine.quarantine
    decided = (*theirs.refused, theirs.current)
    if waits is not None and waits.version.version in decided:
        waits = None
    found = replace(mine, approved=theirs.approved, refused=theirs.refused, quarantine=waits)
    if theirs.current is None or not theirs.versions:
        return found
    fresh = found.with_version(theirs.versions[0])
    return replace(
        fresh, quarantine=waits, checked=theirs.checked, etag=theirs.etag, due=theirs.due,
        modified=theirs.modified, url=theirs.url,
    )  # fmt: skip


def _written(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode("utf-8")


def _fetched(path: str) -> bool:
    return path.startswith(f"{FETCHED}/")


def encode(sent: Sent) -> bytes:
    """The bytes to be signed."""
    state = states.dump(sent.shelf.state)
    return _written({
        "format": FORMAT, "generation": sent.version.generation, "hash": sent.version.hash,
        "pieces": {path: [p.digest, p.bytes] for path, p in sent.shelf.pieces.items()},
        "state": {key: state[key] for key in ("sources", "added", "switched", "imported")},
    })  # fmt: skip


def decode(body: bytes) -> Sent:
    """What signed bytes say; PairError when it is no shelf or its hash is another's."""
    try:
        raw: Any = json.loads(body)
        if raw["format"] != FORMAT:
            raise ValueError(f"not {FORMAT}")
        pieces = {_place(path): _piece(each) for path, each in raw["pieces"].items()}
        shelf = Shelf(pieces, states.load(raw["state"]))
        generation = raw["generation"]
        if type(generation) is not int or not 0 <= generation < 1 << 53:
            raise ValueError("generation")
        _complete(shelf)
        told = shelf.hash
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ListError) as error:
        raise PairError(f"not the lists of the other box: {error}") from None
    if told != raw["hash"]:
        raise PairError("the lists of the other box do not have the hash they say")
    return Sent(Version(generation, told), shelf)


def _complete(shelf: Shelf) -> None:
    """Every version in use and every imported file has its piece: no list is lost on the way."""
    for key, each in shelf.state.sources.items():
        if each.current is not None:
            piece = shelf.pieces[f"{FETCHED}/{key}/{each.current}"]
            if piece.digest != each.current or [v.version for v in each.versions] != [each.current]:
                raise ValueError(f"the version of {key}")
    for imported in shelf.state.imported:
        if f"{IMPORTED}/{imported['path']}" not in shelf.pieces:
            raise ValueError(f"the imported list {imported['path']}")


def _place(path: object) -> str:
    if type(path) is not str or not PIECE.fullmatch(path) or ".." in path:
        raise ValueError("the place of a list")
    return path


def _piece(raw: Any) -> Piece:
    digest, size = raw
    if type(digest) is not str or not re.fullmatch("[0-9a-f]{24}", digest):
        raise ValueError("the digest of a list")
    if type(size) is not int or not 0 <= size <= LIMIT_BYTES:
        raise ValueError("the size of a list")
    return Piece(digest, size)
