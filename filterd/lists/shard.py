"""One half of the index under construction: a trie and, beside it, who lists each key and where.

Names under com, net and org are half of every list, the others are the second half; both are built
at the same time, each in a process of its own.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress, repeat
from pathlib import Path

import marisa_trie

from filterd.lists import columns
from filterd.lists.entry import EXCEPTION, SUBTREE, Why
from filterd.lists.parsed import Group, Parsed
from filterd.lists.protect import Guarded

HALVES = ("first", "second")
"""Names of the halves in the file, by `parsed.half_of`."""
SILENT = 0
"""The set of keys that are stored but say nothing: suffixes and protected names."""

PROBED = 997
"""Of so many keys one is looked up, to see that the library numbers them as we know it to."""

PIECE = 1 << 16
"""So many keys that other lists have too are put together with these at a time."""

Pair = tuple[int, int]
"""A list's number and the flags of its entry."""


@dataclass(slots=True)
class _More:
    """The lines of names that several lists have, beside that in the first list: a row for each
    further list, in columns (a tuple for each would take ten times the memory)."""

    ids: array[int] = field(default_factory=lambda: array("I"))
    lists: array[int] = field(default_factory=lambda: array("I"))
    lines: array[int] = field(default_factory=lambda: array("I"))

    def sorted(self) -> bytes:
        """The columns by key id, and for each by list, which is the order they came in."""
        order = sorted(range(len(self.ids)), key=self.ids.__getitem__)
        columns = (self.ids, self.lists, self.lines)
        return b"".join(array("I", map(each.__getitem__, order)).tobytes() for each in columns)


@dataclass(slots=True)
class Shard:
    """The tables of one half, indexed by key id."""

    trie: marisa_trie.BinaryTrie
    sets: array[int]
    lines: array[int]
    more: _More = field(default_factory=lambda: _More())
    pairs: list[tuple[Pair, ...]] = field(default_factory=lambda: [()])
    silenced: Counter[tuple[int, Why]] = field(default_factory=Counter)
    hits: list[tuple[int, bytes]] = field(default_factory=list)

    def write(self, folder: Path, name: str) -> dict[str, Path]:
        """Section files, named `<name>.<section>`."""
        parts = {part: folder / f"{name}.{part}" for part in ("trie", "sets", "lines", "more")}
        self.trie.save(str(parts["trie"]))
        most = len(self.pairs)  # a byte more for each of five million names is memory of every box
        kind = "B" if most <= 0x100 else "H" if most <= 0x10000 else "I"
        parts["sets"].write_bytes(array(kind, self.sets).tobytes())
        parts["lines"].write_bytes(self.lines.tobytes())
        parts["more"].write_bytes(self.more.sorted())
        return {f"{name}.{part}": path for part, path in parts.items()}


Skip = Callable[[int, int], frozenset[bytes]]
"""Keys of (list number, flags) that a badfilter cancels."""


def build(half: int, lists: Sequence[Parsed], skip: Skip) -> Shard:
    """One half of an index over `lists` (their position is their number)."""
    mine = _Mine(half, lists, skip)
    probes: list[tuple[int, bytes]] = []
    pieces = _probed(mine.pieces(), probes)
    trie = marisa_trie.BinaryTrie(chain.from_iterable(piece.keys for piece in pieces))
    shard = Shard(trie, array("I", bytes(4 * len(trie))), array("I", bytes(4 * len(trie))))
    numbers = columns.numbers(mine.texts(), ((place, trie[key]) for place, key in probes))
    _assign(shard, mine.asked(trie) if numbers is None else mine.numbered(numbers))
    return shard


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some thousands of keys of one list that have the same flags, with their lines."""

    pair: Pair
    keys: list[bytes]
    lines: array[int]


_Numbered = tuple[Pair, "array[int]", "array[int]"]
"""Key ids of one list that have the same flags, and their lines."""


@dataclass(frozen=True, slots=True)
class _Mine:
    """What lists say about the names of one half, always in the same order."""

    half: int
    lists: Sequence[Parsed]
    skip: Skip

    def _groups(self) -> Iterator[tuple[Pair, Group]]:
        for number, parsed in enumerate(self.lists):
            for (flags, half), group in parsed.groups.items():
                if half == self.half:
                    yield (number, flags), group

    def _pieces_of(self, pair: Pair, group: Group) -> Iterator[_Piece]:
        gone = self.skip(*pair)
        for keys, lines in group.pairs():
            if gone:
                chosen = [key not in gone for key in keys]
                keys = list(compress(keys, chosen))
                lines = array("I", compress(lines, chosen))
            yield _Piece(pair, keys, lines)

    def pieces(self) -> Iterator[_Piece]:
        """All keys."""
        for pair, group in self._groups():
            yield from self._pieces_of(pair, group)

    def texts(self) -> Iterator[bytes]:
        """All keys, joined by line feeds."""
        for pair, group in self._groups():
            if self.skip(*pair):
                yield from (b"\n".join(piece.keys) for piece in self._pieces_of(pair, group))
            else:
                yield from group.keys

    def numbered(self, numbers: array[int]) -> Iterator[_Numbered]:
        """The ids of all keys, which are `numbers`."""
        at = 0
        for pair, group in self._groups():
            lines = group.lines
            if self.skip(*pair):
                pieces = self._pieces_of(pair, group)
                lines = array("I", chain.from_iterable(piece.lines for piece in pieces))
            yield pair, numbers[at : at + len(lines)], lines
            at += len(lines)

    def asked(self, trie: marisa_trie.BinaryTrie) -> Iterator[_Numbered]:
        """The ids of all keys, each asked of the trie."""
        for piece in self.pieces():
            yield piece.pair, array("I", map(trie.__getitem__, piece.keys)), piece.lines


def _probed(pieces: Iterable[_Piece], probes: list[tuple[int, bytes]]) -> Iterator[_Piece]:
    """The same; one of many keys and its place are added to `probes`."""
    before = 0
    for piece in pieces:
        probes += ((before + at, piece.keys[at]) for at in range(0, len(piece.keys), PROBED))
        before += len(piece.keys)
        yield piece


class _Joined(dict[int, int]):
    """Number of a set of pairs → number of the set with one more pair, found out when asked."""

    def __init__(self, shard: Shard, numbers: dict[tuple[Pair, ...], int], pair: Pair) -> None:
        super().__init__({SILENT: _number(shard, numbers, (pair,))})
        self._shard, self._numbers, self._pair = shard, numbers, pair
        self.list = pair[0]
        self.other = {SILENT: False}
        """Whether the set is without the pair's list, so that its line needs a row of its own."""

    def __missing__(self, before: int) -> int:
        pairs = self._shard.pairs[before]
        self.other[before] = all(number != self.list for number, _ in pairs)
        self[before] = _number(self._shard, self._numbers, join(pairs, self._pair))
        return self[before]


def _assign(shard: Shard, found: Iterable[_Numbered]) -> None:
    """Give every key its set of (list, flags) and its line; the first list has the line table."""
    numbers: dict[tuple[Pair, ...], int] = {(): SILENT}
    tables: dict[Pair, _Joined] = {}
    for pair, ids, lines in found:
        joined = tables.get(pair)
        if joined is None:
            joined = tables[pair] = _Joined(shard, numbers, pair)
        rest = columns.claim(columns.Claim(ids, lines), shard.sets, shard.lines, joined[SILENT])
        for at in range(0, len(rest.ids), PIECE):
            _take(shard, rest.ids[at : at + PIECE], rest.lines[at : at + PIECE], joined)


def _take(shard: Shard, ids: array[int], lines: array[int], joined: _Joined) -> None:
    """Keys of one piece; whole columns at a time, since a list may say what others say."""
    if len(set(ids)) < len(ids):
        places: dict[int, int] = {}
        first = [places.setdefault(each, at) == at for at, each in enumerate(ids)]
        for chosen in (first, [not one for one in first]):
            mine = array("I", compress(ids, chosen))
            _take(shard, mine, array("I", compress(lines, chosen)), joined)
        return
    before = list(map(shard.sets.__getitem__, ids))
    if not any(before):
        _each(map(shard.sets.__setitem__, ids, repeat(joined[SILENT])))
        _each(map(shard.lines.__setitem__, ids, lines))
        return
    _each(map(shard.sets.__setitem__, ids, [joined[each] for each in before]))
    fresh = [each == SILENT for each in before]
    _each(map(shard.lines.__setitem__, compress(ids, fresh), compress(lines, fresh)))
    other = [joined.other[each] for each in before]
    more = shard.more
    more.ids.extend(compress(ids, other))
    more.lines.extend(compress(lines, other))
    more.lists.extend(repeat(joined.list, len(more.ids) - len(more.lists)))


def _each(steps: Iterable[None]) -> None:
    deque(steps, maxlen=0)


def _number(shard: Shard, numbers: dict[tuple[Pair, ...], int], pairs: tuple[Pair, ...]) -> int:
    found = numbers.get(pairs)
    if found is None:
        found = numbers[pairs] = len(shard.pairs)
        shard.pairs.append(pairs)
    return found


def join(pairs: tuple[Pair, ...], new: Pair) -> tuple[Pair, ...]:
    """`pairs` and one more: the scopes of equal rules of a list are put together."""
    number, flags = new
    out = list(pairs)
    for at, (other, theirs) in enumerate(pairs):
        if other == number and theirs | SUBTREE == flags | SUBTREE:
            out[at] = (other, theirs | flags)
            return tuple(out)
    return (*pairs, new)


def silence(shard: Shard, guarded: Iterable[Guarded], exempt: Callable[[int, Why], bool]) -> None:
    """Take what blocks the guarded keys out of their sets; counted by list and reason.

    Exceptions stay: to allow a protected name is harmless.
    """
    numbers = {pairs: number for number, pairs in enumerate(shard.pairs)}
    for guard in guarded:
        at = shard.trie.get(guard.key)
        if at is None:
            continue
        pairs = shard.pairs[shard.sets[at]]
        kept = tuple(
            (number, flags)
            for number, flags in pairs
            if flags & EXCEPTION or not flags & guard.scope or exempt(number, guard.why)
        )
        for number in {number for number, _ in set(pairs) - set(kept)}:
            shard.silenced[number, guard.why] += 1
            shard.hits.append((number, guard.key))
        shard.sets[at] = _number(shard, numbers, kept)
