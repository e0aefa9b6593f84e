"""The compiled lists at start: opened when there are some, else compiled from the shipped ones."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from pathlib import Path

from filterd.config import Settings
from filterd.errors import ListError
from filterd.lists import catalogue, compiler
from filterd.lists.index import open_index
from filterd.lists.job import Job, JobList
from filterd.policy.taxonomy import Taxonomy
from filterd.policy.verdict import ListIndex, Listing, Question

_log = logging.getLogger("filterd.lists")
_COMPILE_SECONDS = 300.0
REPAIR = "run `filterd lists compile`"


class NoLists:
    """Stands where an index is missing, so that the console works; workers refuse everything."""

    version = ""

    def listings(self, question: Question) -> tuple[Listing, ...]:
        """Nothing is known."""
        return ()

    def address_listing(self, packed: bytes) -> Listing | None:
        """Nothing is known."""
        return None


def index_link(settings: Settings) -> Path:
    """Where the compiled lists are found."""
    return settings.state_dir / "lists" / "index.fdx"


async def first_index(settings: Settings, known: Taxonomy) -> tuple[ListIndex, Path | None]:
    """The compiled lists and their file; without any that can be read: none, and a log line.

    Failing closed is the workers' part: without an index they answer nothing but SERVFAIL.
    """
    path = index_link(settings)
    if not path.exists():
        await compile_shipped(settings, known)
    try:
        return await asyncio.to_thread(open_lists, settings)
    except ListError as error:
        _log.error("no lists: %s; nothing is answered until you %s", error, REPAIR)
        return NoLists(), None


def open_lists(settings: Settings) -> tuple[ListIndex, Path]:
    """The index that the link names, by its real file; raises ListError."""
    path = index_link(settings)
    if not path.exists():
        raise ListError(f"{path} is missing: {REPAIR}")
    real = path.resolve()
    return open_index(real), real


async def compile_shipped(settings: Settings, known: Taxonomy) -> None:
    """Compile the catalogue's own files in a child; a failure is logged, not raised."""
    try:
        await asyncio.to_thread(_compile, settings, known)
    except ListError as error:
        _log.error("the shipped lists were not compiled: %s", error)


def _compile(settings: Settings, known: Taxonomy) -> None:
    folder = settings.state_dir / "lists"
    sources = catalogue.load(settings.catalogue, [str(c) for c in known.categories])
    lists = tuple(
        JobList(str(s.id), str(s.category), str(s.file), s.format, s.match)
        for s in sources if s.enabled and s.file is not None
    )  # fmt: skip
    part = folder / "index.new"
    protected = tuple(str(name) for name in sorted(known.protected))
    categories = tuple(str(category) for category in known.categories)
    compiler.run(Job(str(part), lists, categories, protected), seconds=_COMPILE_SECONDS)
    target = folder / f"index-{hashlib.sha256(part.read_bytes()).hexdigest()[:16]}.fdx"
    part.replace(target)
    link = folder / "index.link"
    link.unlink(missing_ok=True)
    link.symlink_to(target.name)
    link.replace(index_link(settings))
