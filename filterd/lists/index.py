"""The compiled lists as the ruleset asks them: implements `policy.verdict.ListIndex`.

One file, mapped and shared by all workers, and beside it the school's own lists in memory. Reading
never changes anything; a new index replaces the object.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import marisa_trie

from filterd.errors import ListError
from filterd.lists import fdx, office_floor
from filterd.lists.addresses import AddressTable, Stretches
from filterd.lists.entry import BELOW, EXACT
from filterd.lists.matching import Rules
from filterd.lists.memory import Spoken, rule_candidates
from filterd.lists.parsed import FIRST_HALF, name_of_key, rule_from_json
from filterd.lists.precedence import Candidate, ListMeta, decide
from filterd.lists.shard import HALVES, Pair
from filterd.lists.texts import rule_text
from filterd.policy.model import CategoryId, Floor, ListId
from filterd.policy.verdict import Listing, Question
from filterd.wire.names import Name


class Table(Protocol):
    """What an index is put together from."""

    def candidates(self, question: Question) -> Iterable[Candidate]:
        """Rules that speak about the question, in no order."""

    def address_listings(self, packed: bytes) -> tuple[Listing, ...]:
        """Rules that hold this 4- or 16-octet address, the winner of each category first."""

    @property
    def addresses(self) -> AddressTable:
        """Those rules."""

    @property
    def spoken(self) -> Spoken:
        """Where it speaks otherwise than by plain entries of the file."""


class Half(NamedTuple):
    """Views of one half of the file's names: the trie, and for each key id the number of its set of
    (list, flags), 0: silent; `width`: octets of a number."""

    trie: memoryview
    sets: memoryview
    width: int


def _numbers(octets: memoryview, width: int) -> memoryview[int]:
    if width == 1:
        return octets.cast("B")
    return octets.cast("H") if width == 2 else octets.cast("I")


class _Half:
    """The keys of one shard: trie and sets, which are views of the map, and lines."""

    __slots__ = (
        "_file", "_lines_at", "_more_ids", "_more_lines", "_more_lists", "_sets", "pairs", "parts",
        "place", "prefixes",
    )  # fmt: skip

    def __init__(self, mapped: fdx.Mapped, name: str) -> None:
        trie = marisa_trie.BinaryTrie()
        trie.map(mapped.sections[f"{name}.trie"])
        # stored prefixes of a key (the name and what is above it), and the id of one of them
        self.prefixes: Callable[[bytes], list[bytes]] = trie.prefixes
        self.place: Callable[[bytes], int] = trie.__getitem__
        self.pairs: list[tuple[Pair, ...]] = [
            tuple((number, flags) for number, flags in pairs)
            for pairs in mapped.head["pairs"][name]
        ]
        sets = mapped.sections[f"{name}.sets"]
        # asked for a name judged here, at random: the table is a third of the file
        self._file, self._lines_at = mapped.file, mapped.starts[f"{name}.lines"]
        keys = len(mapped.sections[f"{name}.lines"]) // 4
        width = len(sets) // (keys or 1) or 1
        self.parts = Half(mapped.sections[f"{name}.trie"], sets, width)
        self._sets: memoryview[int] = _numbers(sets, width)
        more = mapped.sections[f"{name}.more"].cast("I")
        rows = len(more) // 3
        self._more_ids = more[:rows]
        self._more_lists = more[rows : 2 * rows]
        self._more_lines = more[2 * rows :]

    def said(self, at: int) -> tuple[Pair, ...]:
        """Who lists key `at`, with which flags."""
        return self.pairs[self._sets[at]]

    def line(self, at: int, number: int) -> int:
        """The line of key `at` in list `number`: in the side table unless it was the first."""
        ids = self._more_ids
        row = bisect_left(ids, at)
        while row < len(ids) and ids[row] == at:
            if self._more_lists[row] == number:
                return self._more_lines[row]
            row += 1
        return self._file.number(self._lines_at + 4 * at)


def _rule_rows(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of `{"rules":[…]}`, each by itself: at once they would keep the interpreter from who
    answers questions for as long as all of them take (20,000: 40 ms)."""
    decode, at = json.JSONDecoder().raw_decode, text.index("[") + 1
    while text[at] != "]":
        row, at = decode(text, at + (text[at] == ","))
        yield row


class FileTable:
    """The lists of an index file."""

    def __init__(self, mapped: fdx.Mapped) -> None:
        self.digest: str = mapped.head["digest"]
        self.names: int = mapped.head["names"]
        self.path = mapped.path
        self.lists = tuple(
            ListMeta(ListId(i), CategoryId(c), form, file)
            for i, c, form, file in mapped.head["lists"]
        )
        self._first, self._second = (_Half(mapped, name) for name in HALVES)
        self.halves = (self._first.parts, self._second.parts)
        rows = list(_rule_rows(str(mapped.sections["rules"], "utf-8")))
        self._owners = [self.lists[number] for number, _ in rows]
        self._rules = Rules([rule_from_json(rule) for _, rule in rows])
        self._addresses = AddressTable(mapped.sections, self.lists)

    @property
    def spoken(self) -> Spoken:
        """What its rules stand by; plain entries are in `halves`."""
        anchors = self._rules.anchors
        return Spoken(None if anchors is None else tuple(anchors), tuple(self._rules.pieces))

    def candidates(self, question: Question) -> Iterable[Candidate]:
        """Rules that speak about the question."""
        key = question.name[::-1].encode("ascii") + b"."
        half = self._first if key.startswith(FIRST_HALF) else self._second
        prefixes = half.prefixes(key)
        found: Sequence[Candidate] = self._named(half, key, prefixes) if prefixes else ()
        if len(self._rules):
            return [*found, *rule_candidates(self._rules, self._owners, question)]
        return found

    def _named(self, half: _Half, key: bytes, prefixes: list[bytes]) -> list[Candidate]:
        """What lists say about a name by itself or by a name above it."""
        found: list[Candidate] = []
        for prefix in prefixes:
            exact = len(prefix) == len(key)
            wanted = EXACT if exact else BELOW
            at = half.place(prefix)
            for number, flags in half.said(at):
                if flags & wanted:
                    meta, name = self.lists[number], name_of_key(prefix)
                    text = rule_text(name, flags, meta.format)
                    length = len(name) + exact
                    found.append(Candidate(meta, half.line(at, number), text, flags, length))
        return found

    def address_listings(self, packed: bytes) -> tuple[Listing, ...]:
        """Rules of address lists that hold this address."""
        return self._addresses.find(packed)

    @property
    def addresses(self) -> AddressTable:
        """The networks of all lists."""
        return self._addresses


class Index:
    """Several tables as one; implements `policy.verdict.ListIndex`."""

    def __init__(
        self, tables: Sequence[Table], version: str, floor: Mapping[CategoryId, Floor] | None = None
    ) -> None:
        self._tables = tuple(tables)
        self._version = version
        self._floor = dict(floor or {})

    @property
    def version(self) -> str:
        """Digest of the compiled lists, and of the school's own when there are any."""
        return self._version

    @property
    def floor(self) -> Mapping[CategoryId, Floor]:
        """What the office locks besides the built-in floor."""
        return self._floor

    @property
    def tables(self) -> tuple[Table, ...]:
        """What it is put together from."""
        return self._tables

    def listings(self, question: Question) -> tuple[Listing, ...]:
        """Every rule that speaks about the question, the winner of each category first."""
        found = [c for table in self._tables for c in table.candidates(question)]
        return decide(found, question) if found else ()

    def address_listings(self, packed: bytes) -> tuple[Listing, ...]:
        """Every rule of address lists that holds this 4- or 16-octet address, the winner of each
        category first."""
        found = [one for table in self._tables for one in table.address_listings(packed)]
        return tuple(sorted(found, key=_narrowness) if len(found) > 1 else found)

    @property
    def stretches(self) -> list[tuple[Stretches, Stretches]]:
        """Which addresses any list has: of each table that has networks."""
        return [table.addresses.stretches for table in self._tables if len(table.addresses)]

    @property
    def spoken(self) -> Spoken:
        """Where anything but a plain entry of the file may speak."""
        names: list[Name] = []
        pieces: list[str] = []
        for table in self._tables:
            said = table.spoken
            if said.names is None:
                return Spoken(None, ())
            names += said.names
            pieces += said.pieces
        return Spoken(names, tuple(pieces))

    def with_overlay(self, overlay: Table, digest: str) -> Index:
        """This index with the school's own lists laid over its file; replaces an older overlay."""
        version = f"{self._version.partition('+')[0]}+{digest}"
        return Index((self._tables[0], overlay), version, self._floor)


def _narrowness(listing: Listing) -> tuple[int, bool]:
    """The longest prefix first, and among equals an exception."""
    return -int(listing.rule.rpartition("/")[2]), not listing.exception


def open_index(path: Path, verify: bool = True) -> Index:
    """The index in a file, with the lists in `local/` and `office/` beside it laid over.

    ListError (missing, damaged, another format) says what to run.

    Without `verify` only the head is checked: for workers, after the supervisor read it whole.
    """
    mapped = fdx.read(path, verify)
    table = FileTable(mapped)
    index = Index((table,), table.digest, office_floor.read(path.parent / "office"))
    folders = (path.parent / "local", path.parent / "office")
    if not any(next(folder.glob("*.txt"), None) for folder in folders):
        return index
    from filterd.lists import overlay  # every format's parser: not where nothing is to be parsed
    from filterd.lists.guard import Guard

    local = overlay.load(*folders, guard=Guard(mapped))
    return index if local is None else index.with_overlay(local.table, local.digest)


def file_table(index: Index) -> FileTable:
    """The file behind an index; ListError when it has none."""
    for table in index.tables:
        if isinstance(table, FileTable):
            return table
    raise ListError(f"this index has no file: {fdx.RECOMPILE}")
