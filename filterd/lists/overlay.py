"""The school's own lists (`local/<category>.txt`) and the office's (`office/<category>.txt`), read
into memory and laid over the index.

Any format, also `$dnsrewrite` and, outside the floor's categories, `@@` exceptions; plain names
mean themselves and everything below. They act as soon as the index is opened again, without
compiling.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filterd.errors import ListError
from filterd.lists import fdx, without_exception
from filterd.lists.entry import SUBTREE
from filterd.lists.formats import Options
from filterd.lists.guard import Guard
from filterd.lists.loading import load as load_list
from filterd.lists.memory import Loaded, MemoryTable
from filterd.lists.precedence import ListMeta
from filterd.lists.reader import Caps
from filterd.lists.store import INDEX, replace_file
from filterd.lists.texts import sample_texts
from filterd.policy.model import CategoryId, ListId

_log = logging.getLogger("filterd.lists")
CAPS = Caps(bytes=16 << 20, lines=200_000)
"""A school's own list is written by hand; whoever has more adds it as a source."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """A table and the digest of the files it was read from."""

    table: MemoryTable
    digest: str


def load(*folders: Path, guard: Guard | None = None) -> Overlay | None:
    """All own lists in these folders; None when there are none. A file that cannot be read is told
    in the log and left out: the others, and the index, still work. `guard`: what none may block."""
    digest = hashlib.blake2b(digest_size=8)
    lists: list[Loaded] = []
    for path in (path for folder in folders for path in sorted(folder.glob("*.txt"))):
        try:
            lists.append(read(path, guard))
            digest.update(f"{path.parent.name}/{path.name}".encode() + path.read_bytes())
        except (ListError, OSError) as error:
            _log.error("own list %s left out: %s", path, error)
    return Overlay(MemoryTable(lists), digest.hexdigest()) if lists else None


def read(path: Path, guard: Guard | None = None) -> Loaded:
    """One own list; its category is the file's name."""
    kind, parsed = load_list(path, "auto", Options(SUBTREE, rewrites=True), CAPS)
    meta = _meta(path, kind)
    if guard is not None:
        parsed = guard.enforce(parsed)
    return Loaded(meta, without_exception.enforce(meta, parsed, own=True))


def _meta(path: Path, kind: str) -> ListMeta:
    origin = "office" if path.parent.name == "office" else "local"
    id_ = ListId(f"{origin}_{path.stem}")
    return ListMeta(id_, CategoryId(path.stem), kind, f"{origin}/{path.name}")


def figures(path: Path) -> dict[str, Any]:
    """How many entries an own list has, and what was dropped for which reason, with examples."""
    parsed = read(path, _guard_beside(path)).parsed
    entries = parsed.names + len(parsed.rules) + len(parsed.addresses)
    samples = sample_texts(parsed.samples)
    return {"entries": entries, "dropped": dict(parsed.dropped), "samples": samples}


def _guard_beside(path: Path) -> Guard | None:
    """What the index that this own list belongs to protects; None without such an index."""
    try:
        return Guard(fdx.read(path.parent.parent / INDEX, verify=False))
    except (ListError, KeyError):
        return None


def write(folder: Path, category: str, text: str) -> dict[str, Any]:
    """Replace the own list of a category (empty text removes it); its figures."""
    path = folder / f"{category}.txt"
    if not text.strip():
        path.unlink(missing_ok=True)
        return {"entries": 0, "dropped": {}, "samples": []}
    replace_file(path, text.encode())
    return figures(path)
