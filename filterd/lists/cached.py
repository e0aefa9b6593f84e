"""From a job's entry to lists that were read: parsed, or taken from what was parsed before.

A source is known by its octets and by how it is to be read, so an unchanged one, an archive too, is
parsed once. The copies lie in the `cache` folder; `library` removes those of versions out of use.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from filterd import whole_files
from filterd.errors import ListError
from filterd.lists import parsed_file, reader, without_exception
from filterd.lists.entry import EXACT, SUBTREE
from filterd.lists.formats import Options
from filterd.lists.job import JobList
from filterd.lists.loading import load, load_ut1
from filterd.lists.memory import Loaded
from filterd.lists.parsed import Parsed
from filterd.lists.precedence import ListMeta
from filterd.policy.model import CategoryId, ListId

Found = Mapping[str, Parsed]
"""The lists in a file: one, named "", or one for each category directory of an archive."""


def read(wanted: JobList, folder: str | None, used: list[str]) -> Iterator[Loaded]:
    """The lists of one job entry; names of cache files that were used are added to `used`."""
    kind, found = _cached(wanted, folder, used)
    file = wanted.file or Path(wanted.path).name
    for member, parsed in sorted(found.items()):
        if wanted.members:
            identity, category = f"{wanted.id}/{member}", wanted.members[member]
            named = f"{file}/{member}/domains"
        else:
            identity, category, named = wanted.id, wanted.category, file
        meta = ListMeta(ListId(identity), CategoryId(category), kind, named)
        yield Loaded(meta, without_exception.enforce(meta, parsed, own=False))


def _cached(wanted: JobList, folder: str | None, used: list[str]) -> tuple[str, Found]:
    """The format and the lists; parsed here unless the same octets were, with the same options."""
    if folder is None:
        return _parse(wanted)
    key = _key(wanted)
    for kept in Path(folder).glob(f"{key}.*.parsed"):
        with contextlib.suppress(ListError):
            found = parsed_file.load(kept)
            used.append(kept.name)
            return kept.suffixes[-2][1:], found
        kept.unlink(missing_ok=True)
    kind, made, fresh = _keep(wanted, Path(folder), key)
    used.append(fresh)
    return kind, made


def parse_into(wanted: JobList, folder: str) -> None:
    """Parse a source for a later `read`, unless it was parsed before."""
    key = _key(wanted)
    if not any(Path(folder).glob(f"{key}.*.parsed")):
        _keep(wanted, Path(folder), key)


def _keep(wanted: JobList, folder: Path, key: str) -> tuple[str, Found, str]:
    kind, found = _parse(wanted)
    fresh = folder / f"{key}.{kind}.parsed"
    # it may be thrown away at any time, and a damaged one is: not worth a flush
    with whole_files.fresh(fresh, lasting=False) as out:
        parsed_file.save(found, out)
    return kind, found, fresh.name


def _options(wanted: JobList) -> Options:
    return Options(EXACT if wanted.match == "exact" else SUBTREE, wanted.rewrites)


def _parse(wanted: JobList) -> tuple[str, Found]:
    path = Path(wanted.path)
    if wanted.members:
        return "ut1", load_ut1(path, _options(wanted), only=frozenset(wanted.members))
    kind, parsed = load(path, wanted.format, _options(wanted))
    return kind, {"": parsed}


def _key(wanted: JobList) -> str:
    """Digest of all that decides what reading gives."""
    how = (parsed_file.MAGIC, wanted.format, _options(wanted), sorted(wanted.members))
    key = hashlib.blake2b(repr(how).encode(), digest_size=16)
    whole = Path(wanted.path)
    for path in sorted(whole.rglob("*")) if whole.is_dir() else (whole,):
        if path.is_dir():
            continue
        key.update(f"{path.relative_to(whole)}\0".encode())
        with path.open("rb") as content:
            while piece := content.read(reader.BLOCK_BYTES):
                key.update(piece)
    return key.hexdigest()
