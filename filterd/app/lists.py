"""The compiled lists at start: opened when there are some, else compiled from the shipped ones."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from filterd.config import Settings
from filterd.errors import ListError
from filterd.lists.fdx import OldFormat
from filterd.lists.index import open_index
from filterd.policy.verdict import ListIndex, Listing, Question

_log = logging.getLogger("filterd.lists")
REPAIR = "run `filterd lists compile`"


class NoLists:
    """Stands where an index is missing, so that the console works; workers refuse everything."""

    version = ""

    def listings(self, question: Question) -> tuple[Listing, ...]:
        """Nothing is known."""
        return ()

    def address_listings(self, packed: bytes) -> tuple[Listing, ...]:
        """Nothing is known."""
        return ()


def index_link(settings: Settings) -> Path:
    """Where the compiled lists are found."""
    return settings.state_dir / "lists" / "index.fdx"


async def first_index(settings: Settings) -> tuple[ListIndex, Path | None]:
    """The compiled lists and their file; without any that can be read: none, and a log line.

    Failing closed is the workers' part: without an index they answer nothing but SERVFAIL.
    """
    path = index_link(settings)
    if not path.exists():
        await compile_shipped(settings)
    try:
        return await _opened(settings)
    except ListError as error:
        _log.error("no lists: %s; nothing is answered until you %s", error, REPAIR)
        return NoLists(), None


async def _opened(settings: Settings) -> tuple[ListIndex, Path]:
    """The compiled lists; after an upgrade that changed their format they are compiled again from
    the bodies that are here, without the network."""
    try:
        return await asyncio.to_thread(open_lists, settings)
    except OldFormat as error:
        _log.warning("%s: doing that now", error)
        await compile_shipped(settings)
        return await asyncio.to_thread(open_lists, settings)


def open_lists(settings: Settings) -> tuple[ListIndex, Path]:
    """The index that the link names, by its real file; raises ListError."""
    path = index_link(settings)
    if not path.exists():
        raise ListError(f"{path} is missing: {REPAIR}")
    real = path.resolve()
    return open_index(real), real


async def compile_shipped(settings: Settings) -> None:
    """Compile the lists that are here in a child; a failure is logged, not raised."""
    try:
        await asyncio.to_thread(_compile, settings)
    except ListError as error:
        _log.error("the shipped lists were not compiled: %s", error)


def _compile(settings: Settings) -> None:
    from filterd.lists.setting import library  # the compiler's rooms: only the first start needs it

    found = library(settings)
    with found.store.locked():
        found.compile()
