"""The lists of a school: catalogue, own sources, imported files, and the index made of them.

Blocking, and without a clock of its own; the refresher runs it in threads, the command line
directly. Everything that changes files does so under `Store.locked`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filterd import whole_files
from filterd.errors import ConfigError, ListError
from filterd.lists import catalogue, compiler, fdx, parsed_file
from filterd.lists.catalogue import Source
from filterd.lists.discover import Found, discover
from filterd.lists.formats import FORMATS
from filterd.lists.job import Job, JobList
from filterd.lists.state import State
from filterd.lists.store import Store
from filterd.policy.model import CategoryId, ListId, Title

_log = logging.getLogger("filterd.lists")
Check = Callable[[Path], tuple[str, ...]]
"""Looks at a fresh index before it goes live; what it says against it (policy `expect`)."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a library needs to know: where it is, the catalogue, categories, protected names."""

    folder: Path
    catalogue: Path
    categories: tuple[str, ...]
    protected: Callable[[], Collection[str]]


class Refused(ListError):
    """A fresh index that the check spoke against; `failures` are its words."""

    def __init__(self, failures: tuple[str, ...]) -> None:
        super().__init__(
            "the policy's expectations fail with the new lists: " + "; ".join(failures)
        )
        self.failures = failures


class Library:
    """Sources, their state, and the compiled index of one school."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.around = surroundings
        self.store = Store(surroundings.folder)
        self._read: tuple[tuple[int, ...], tuple[Source, ...]] | None = None

    def _catalogue(self) -> tuple[Source, ...]:
        """The catalogue with the office's over it (the same id: the office's stands), read again
        only when a file changed (200 lists take 60 ms to read)."""
        around = self.around
        office = around.folder / "office" / "catalogue.yaml"
        stamp = tuple(
            path.stat().st_mtime_ns if path.exists() else 0 for path in (around.catalogue, office)
        )
        if self._read is None or self._read[0] != stamp:
            found = {each.id: each for each in catalogue.load(around.catalogue, around.categories)}
            if stamp[1]:
                found |= {each.id: each for each in _of_office(office, around.categories)}
            self._read = stamp, tuple(found.values())
        return self._read[1]

    def sources(self, state: State | None = None) -> tuple[Source, ...]:
        """Catalogue and own sources; `enabled` as the school switched it."""
        known = state if state is not None else self.store.state()
        shipped = self._catalogue()
        own = tuple(own_source(each) for each in known.added)
        return tuple(
            replace(source, enabled=known.switched.get(source.id, source.enabled))
            for source in (*shipped, *own)
        )

    def source(self, list_id: str) -> Source:
        """One source; ListError when there is none of that id."""
        for source in self.sources():
            if source.id == list_id:
                return source
        raise ListError(f"there is no list {list_id!r}")

    def job(self, state: State, out: Path) -> Job:
        """What to compile: every enabled source that has a body, and what was imported."""
        lists = [
            found
            for source in self.sources(state)
            if source.enabled and (found := self._job_list(source, state))
        ]
        named = {found.id for found in lists}
        lists += [JobList(**each) for each in state.imported if each["id"] not in named]
        return Job(
            str(out), tuple(lists), self.around.categories,
            tuple(sorted(self.around.protected())), str(self.store.cache),
        )  # fmt: skip

    def _job_list(self, source: Source, state: State) -> JobList | None:
        path = source.file
        if path is None:
            version = state.of(source.id).current
            path = self.store.body(source.id, version) if version else None
        return job_list(source, path) if path is not None and path.exists() else None

    def compile(
        self, check: Check | None = None, progress: compiler.Progress | None = None
    ) -> dict[str, Any]:
        """Compile and put the index in use; the compiler's report. Call it under the lock.

        An index that was made of the same bodies is taken as it is, which makes a rollback
        instant. Refused when `check` speaks against the new index; ListError when compiling
        fails. The index in use stays in both cases.
        """
        try:
            return self._compile(check, progress)
        except OSError as error:
            raise ListError(
                f"cannot compile in {self.store.folder}: {error.strerror or error}"
            ) from None

    def _compile(self, check: Check | None, progress: compiler.Progress | None) -> dict[str, Any]:
        state = self.store.state()
        folder = self.store.folder
        job = self.job(state, folder / "fresh.fdx")
        key = made_of(job)
        if kept := self._kept(state, key):
            return self._use(self.store.index_of(kept["digest"]), dict(kept), check)
        needs_room(folder, self.store.index)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".compile-") as work:
            fresh = Path(work) / "fresh.fdx"
            report = compiler.run(replace(job, out=str(fresh)), progress)
            self._forget_cache(report)
            return self._use(fresh, {**report, "made_of": key}, check)

    def is_behind(self) -> bool:
        """Whether the index in use was made of other bodies than those that are in use now: the
        power went between keeping a new version and compiling it."""
        state = self.store.state()
        made = next((e["made_of"] for e in state.indexes if e["digest"] == state.digest), None)
        if made is None:
            return False
        wanted = made_of(self.job(state, self.store.index))
        return wanted.partition("-")[0] != str(made).partition("-")[0]

    def _kept(self, state: State, key: str) -> Mapping[str, Any] | None:
        for kept in state.indexes:
            if kept["made_of"] == key and _is_sound(self.store.index_of(kept["digest"])):
                return kept
        return None

    def _use(self, fresh: Path, report: dict[str, Any], check: Check | None) -> dict[str, Any]:
        if check is not None and (failures := check(fresh)):
            raise Refused(failures)
        self.store.install(fresh, report["digest"])
        report.pop("cached", None)
        state = self.store.state()
        others = tuple(
            each
            for each in state.indexes
            if each["digest"] != report["digest"] and self.store.index_of(each["digest"]).exists()
        )
        self.store.save(
            replace(
                state, figures=tuple(report["lists"]), digest=report["digest"],
                names=report["names"], indexes=(report, *others),
            )
        )  # fmt: skip
        return report

    def _forget_cache(self, report: Mapping[str, Any]) -> None:
        """Delete parsed copies of lists that this compilation did not use."""
        used = set(report.get("cached", ()))
        for kept in self.store.cache.glob("*.parsed"):
            if kept.name not in used:
                kept.unlink(missing_ok=True)

    def import_from(self, folder: Path) -> Found:
        """Copy the lists of a folder and compile them from now on, in place of those imported
        before. The originals may go away; ListError when there is no list in it."""
        if not folder.exists():
            raise ListError(f"{folder} does not exist")
        state = self.store.state()
        found = discover(folder, self.sources(state), self.around.categories)
        if not found.lists:
            raise ListError(f"no list in {folder} whose category is known")
        fresh = Path(tempfile.mkdtemp(dir=self.store.folder, prefix=".compile-import"))
        kept = []
        for each in found.lists:
            copy = fresh / f"{each.id}{''.join(Path(each.path).suffixes[-1:])}"
            shutil.copyfile(each.path, copy)
            whole_files.flush(copy)
            kept.append(asdict(replace(each, path=str(self.store.imported / copy.name))))
        shutil.rmtree(self.store.imported, ignore_errors=True)
        whole_files.settle(fresh, self.store.imported)
        self.store.save(replace(state, imported=tuple(kept)))
        return found

    def local_lists(self) -> Iterator[tuple[str, Path]]:
        """The school's own lists: category and file."""
        for path in sorted(self.store.local.glob("*.txt")):
            if path.stem in self.around.categories:
                yield path.stem, path


def _is_sound(path: Path) -> bool:
    """Whether a kept index is there and whole: compiling must mend what a bad disk did to it."""
    try:
        fdx.read(path)
    except ListError:
        return False
    return True


def made_of(job: Job) -> str:
    """Digests of everything that decides what an index says: of the lists, and of the rest."""
    bodies = []
    for each in job.lists:
        # Bodies of versions never change; shipped and imported files may.
        found = Path(each.path).stat()
        named = {**asdict(each), "path": Path(each.path).name}
        bodies.append([named, found.st_size, found.st_mtime_ns])
    rest = [job.categories, job.protected, parsed_file.MAGIC.decode(), fdx.VERSION]
    return f"{_digest(bodies)}-{_digest(rest)}"


def _digest(values: list[Any]) -> str:
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=16).hexdigest()


def job_list(source: Source, path: Path) -> JobList:
    """What the compiler is told about a source whose body is at `path`."""
    return JobList(
        source.id, source.category, str(path), source.format, source.match,
        private_suffixes=source.private_suffixes, members=dict(source.members),
        file=source.file.name if source.file is not None else source.url,
    )  # fmt: skip


def own_source(entry: Mapping[str, Any]) -> Source:
    """A source that the school added, from its entry in the state file."""
    form = entry.get("format", "auto")
    return Source(
        id=ListId(entry["id"]), title=Title(entry["title"], entry["title"]),
        category=CategoryId(entry["category"]), url=entry["url"],
        format=form if form in ("auto", *FORMATS) else "auto",
        match=entry.get("match", "subtree"), licence=entry.get("licence") or "",
    )  # fmt: skip


def needs_room(folder: Path, index: Path) -> None:
    """Refuse to start when the disk cannot hold a second index beside the first."""
    with contextlib.suppress(FileNotFoundError):
        size = index.stat().st_size
        room = os.statvfs(folder)
        if room.f_bavail * room.f_frsize < 3 * size:
            raise ListError(
                f"the disk is nearly full: compiling needs {3 * size >> 20} MiB free in {folder}"
            )


def _of_office(path: Path, categories: tuple[str, ...]) -> tuple[Source, ...]:
    """The office's sources. Only fetched ones: a file's path would mean something else on each box.
    A catalogue that does not fit this version adds nothing, and is told in the log."""
    try:
        return tuple(each for each in catalogue.load(path, categories) if each.url)
    except ConfigError as error:
        _log.error("the office's catalogue left out: %s", error)
        return ()
