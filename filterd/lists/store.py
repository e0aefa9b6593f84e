"""The lists on the disk: bodies by version, the state file, compiled indexes, the lock.

    <folder>/state.json · sources/<list>/<version> · imported/<file> · local/<category>.txt
    cache/*.parsed · index-<digest>.fdx · index.fdx → the index in use · lock · spare

Every file is replaced whole (`filterd.whole_files`).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from filterd import whole_files
from filterd.errors import ListError
from filterd.lists import state as states
from filterd.lists.state import State

KEPT_INDEXES = 4
INDEX = "index.fdx"
PATIENCE_SECONDS = 120.0
SPARE_BYTES = 512 << 10
"""Twice the state file of some hundred lists: what writing it once needs on a full disk."""


class Busy(ListError):
    """Another process is changing the lists; trying again later helps."""


class Store:
    """One `lists` folder; values in, files out. Not for two writers: see `locked`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = folder / INDEX
        self.cache = folder / "cache"
        self.local = folder / "local"
        self.office = folder / "office"
        self.imported = folder / "imported"
        self.patience = PATIENCE_SECONDS
        self._spare = folder / "spare"

    def prepare(self) -> None:
        """Make the folders; ListError when the disk refuses."""
        try:
            for path in (self.folder, self.cache, self.local, self.imported):
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ListError(f"cannot make {self.folder}: {error.strerror}") from None
        self._keep_room()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from changing the lists; Busy when one does for too long.

        Nobody holds it while fetching, only while reading, compiling and writing.
        """
        self.prepare()
        deadline = time.monotonic() + self.patience
        with (self.folder / "lock").open("a") as handle:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if time.monotonic() >= deadline:
                        raise Busy("another update of the lists is running: try later") from None
                    time.sleep(0.05)
            yield

    def state(self) -> State:
        """What is remembered; a damaged file counts as nothing known, the lists stay in use."""
        try:
            return states.load(json.loads((self.folder / "state.json").read_text("utf-8")))
        except FileNotFoundError:
            return State()
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            with contextlib.suppress(OSError):
                (self.folder / "state.json").rename(self.folder / "state.json.damaged")
            return State()

    def save(self, state: State) -> None:
        """Replace the state file. On a full disk the room kept for this is used, so that the
        status can say that the disk is full."""
        text = json.dumps(states.dump(state), ensure_ascii=False, indent=1).encode()
        try:
            replace_file(self.folder / "state.json", text)
        except ListError:
            if not self._spare.exists():
                raise
            self._spare.unlink(missing_ok=True)
            replace_file(self.folder / "state.json", text)

    def _keep_room(self) -> None:
        """Set the room for `save` aside again, when there is some."""
        if not self._spare.exists():
            with contextlib.suppress(ListError):
                replace_file(self._spare, bytes(SPARE_BYTES))

    def body(self, list_id: str, version: str) -> Path:
        """Where the body of a version is, or will be."""
        return self.folder / "sources" / list_id / version

    def adopt(self, list_id: str, part: Path) -> tuple[str, int]:
        """Move a fetched file to its place; its version (digest of the content) and size."""
        digest = hashlib.blake2b(digest_size=12)
        with part.open("rb") as content:
            while piece := content.read(1 << 20):
                digest.update(piece)
        version = digest.hexdigest()
        place = self.body(list_id, version)
        place.parent.mkdir(parents=True, exist_ok=True)
        size = part.stat().st_size
        whole_files.settle(part, place)
        return version, size

    def part(self, list_id: str) -> Path:
        """A file to fetch into; never looked at by anyone before `adopt`."""
        folder = self.folder / "sources" / list_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f".fetch-{os.getpid()}.part"

    def index_of(self, digest: str) -> Path:
        """Where the index with that digest is, or will be."""
        return self.folder / f"index-{digest}.fdx"

    def install(self, fresh: Path, digest: str) -> Path:
        """Put a compiled index in use: the link `index.fdx` changes in one step."""
        place = self.index_of(digest)
        if fresh != place:
            fresh.rename(place)
        link = self.folder / f".index-{os.getpid()}.link"
        link.unlink(missing_ok=True)
        link.symlink_to(place.name)
        link.rename(self.index)
        whole_files.flush(self.folder)
        self._forget_indexes(place)
        return place

    def _forget_indexes(self, current: Path) -> None:
        found = sorted(self.folder.glob("index-*.fdx"), key=lambda p: -p.stat().st_mtime)
        for old in [path for path in found if path != current][KEPT_INDEXES - 1 :]:
            old.unlink(missing_ok=True)

    def prune(self, state: State) -> None:
        """Delete bodies that no version names, half-written files and unused cache files."""
        for folder in (self.folder / "sources").glob("*"):
            known = state.of(folder.name)
            wanted = {version.version for version in known.versions}
            if known.quarantine is not None:
                wanted.add(known.quarantine.version.version)
            # what this process is fetching right now is not a leftover
            wanted.add(self.part(folder.name).name)
            for body in folder.iterdir():
                if body.name not in wanted:
                    body.unlink(missing_ok=True)
        for work in self.folder.glob(".compile-*"):
            shutil.rmtree(work, ignore_errors=True)
        for pattern in (".*.part", ".*.body", ".index-*.link"):
            for half in self.folder.glob(pattern):
                half.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; ListError when the disk refuses."""
    try:
        whole_files.replace(path, content)
    except OSError as error:
        raise ListError(f"cannot write {path}: {error.strerror}") from None
