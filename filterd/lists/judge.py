"""Lists judged alone: files in, verdicts out, with the line as it is written in the file.

For corpora of rules and questions that other projects publish; the service itself never uses it.
"""

from __future__ import annotations

import ipaddress
import tempfile
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filterd.errors import ListError
from filterd.lists import reader
from filterd.lists.builder import build
from filterd.lists.entry import EXACT, SUBTREE
from filterd.lists.formats import FORMATS, Options
from filterd.lists.index import Index, open_index
from filterd.lists.loading import load, load_ut1
from filterd.lists.memory import Loaded, MemoryTable
from filterd.lists.precedence import OTHERS, RCODES, ListMeta
from filterd.lists.protect import Protection
from filterd.policy.model import CategoryId, ListId
from filterd.policy.verdict import Alias, Asker, Listing, Local, Question
from filterd.wire.names import Name, from_text

IN_MEMORY_NAMES = 200_000
"""Beyond this the lists are compiled to a file: millions of names do not fit in dictionaries."""
_RCODE_NAMES = {number: name for name, number in RCODES.items()}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One list to judge by; `match` None: as the format's authors mean it."""

    path: Path
    format: str = "auto"
    match: str | None = None
    category: str = ""

    def __post_init__(self) -> None:
        if self.format not in ("auto", *FORMATS):
            raise ListError(f"format is one of: auto, {', '.join(FORMATS)}")


class Judge:
    """The lists of one command, ready to be asked."""

    def __init__(self, lists: Sequence[Wanted]) -> None:
        self._texts: dict[str, _Text] = {}
        loaded: list[Loaded] = []
        for number, wanted in enumerate(lists):
            loaded += self._load(number, wanted)
        self._index = _index(loaded)

    def _load(self, number: int, wanted: Wanted) -> list[Loaded]:
        scope = {None: None, "exact": EXACT, "subtree": SUBTREE}[wanted.match]
        options = Options(scope, rewrites=True)
        shown = str(wanted.path)
        if wanted.path.is_dir() or (
            wanted.format in ("ut1", "auto") and reader.is_tar(wanted.path)
        ):
            parts = load_ut1(wanted.path, options).items()
            return [
                Loaded(_meta(f"{number}\0{shown}/{directory}", wanted.category, "ut1"), parsed)
                for directory, parsed in parts
            ]
        kind, parsed = load(wanted.path, wanted.format, options)
        key = f"{number}\0{shown}"
        self._texts[key] = _Text(wanted.path)
        return [Loaded(_meta(key, wanted.category, kind), parsed)]

    def answer(self, asked: Mapping[str, Any], qtype: int) -> dict[str, Any]:
        """Verdict, rule, list, line and answer for one question; ValueError if it is none."""
        listing = self._listing(asked, qtype)
        if listing is None:
            return {"verdict": "allowed", "rule": None, "list": None, "line": None}
        found: dict[str, Any] = {
            "verdict": _word(listing),
            "rule": self._written(listing),
            "list": listing.list.partition("\0")[2],
            "line": listing.line,
        }
        if listing.category:
            found["category"] = listing.category
        if listing.rewrite is not None:
            found |= _told(listing.rewrite, qtype)
        return found

    def _listing(self, asked: Mapping[str, Any], qtype: int) -> Listing | None:
        name = str(asked["name"])
        try:
            packed = ipaddress.ip_address(name.strip("[]")).packed
        except ValueError:
            packed = b""
        if packed and (told := strongest(self._index.address_listings(packed))):
            return told
        asker = Asker(
            asked.get("client") or None, asked.get("client_name") or None,
            frozenset(asked.get("tags") or ()),
        )  # fmt: skip
        found = self._index.listings(
            Question(Name(name) if packed else from_text(name), qtype, asker)
        )
        return strongest(found)

    def _written(self, listing: Listing) -> str:
        text = self._texts.get(listing.list)
        if text is None or listing.line is None:
            return listing.rule
        return text.line(listing.line) or listing.rule


def strongest(listings: Sequence[Listing]) -> Listing | None:
    """The listing to tell: of the winners of all categories one that blocks or rewrites, if any.

    An exception answers for its own category only, so it cannot hide another category's block.
    """
    winners: dict[str, Listing] = {}
    for listing in listings:
        if listing.category != OTHERS:
            winners.setdefault(listing.category, listing)
    told = [listing for listing in winners.values() if not listing.exception]
    return next(iter(told or winners.values()), None)


def _meta(key: str, category: str, kind: str) -> ListMeta:
    return ListMeta(ListId(key), CategoryId(category), kind)


def _word(listing: Listing) -> str:
    if listing.rewrite is not None:
        return "rewritten"
    return "allowed" if listing.exception else "blocked"


def _told(rewrite: Alias | Local, qtype: int) -> dict[str, Any]:
    """`answer` as text: the CNAME, the values of the records, or the response code without any."""
    if isinstance(rewrite, Alias):
        record = {"type": "CNAME", "value": rewrite.target}
        return {"answer": rewrite.target, "rcode": "NOERROR", "records": [record]}
    rcode = _RCODE_NAMES.get(rewrite.rcode, str(rewrite.rcode))
    records = [{"type": kind, "value": value} for _, kind, _, value in rewrite.records]
    answer = ", ".join(record["value"] for record in records) or rcode
    return {"answer": answer, "rcode": rcode, "records": records}


def _index(loaded: Sequence[Loaded]) -> Index:
    if sum(each.parsed.names for each in loaded) <= IN_MEMORY_NAMES:
        return Index((MemoryTable(loaded),), "")
    with tempfile.TemporaryDirectory(prefix="filterd-verdicts-") as folder:
        path = Path(folder) / "index.fdx"
        build(loaded, Protection(), lambda _list, _why: True, path)
        # The map outlives its name.
        return open_index(path, verify=False)


class _Text:
    """The lines of a list file, found by number; read when first asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._whole = b""
        self._starts: array[int] = array("Q")

    def line(self, number: int) -> str:
        """The line as written, without white space at its ends."""
        if not self._starts:
            self._read()
        start = self._starts[number - 1]
        end = self._starts[number] if number < len(self._starts) else len(self._whole)
        return self._whole[start:end].decode("utf-8", "replace").strip()

    def _read(self) -> None:
        with reader.opened(self._path) as plain:
            self._whole = b"".join(reader.blocks(plain))
        position = 0
        while position < len(self._whole):
            self._starts.append(position)
            position = self._whole.index(b"\n", position) + 1
