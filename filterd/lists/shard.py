"""One half of the index under construction: a trie and, beside it, who lists each key and where.

Names under com, net and org are half of every list, the others are the second half; both are built
at the same time, each in a process of its own.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path

import marisa_trie

from filterd.lists.entry import EXCEPTION, SUBTREE, Why
from filterd.lists.parsed import Parsed
from filterd.lists.protect import Guarded

HALVES = ("first", "second")
"""Names of the halves in the file, by `parsed.half_of`."""
SILENT = 0
"""The set of keys that are stored but say nothing: suffixes and protected names."""

Pair = tuple[int, int]
"""A list's number and the flags of its entry."""


@dataclass(slots=True)
class Shard:
    """The tables of one half, indexed by key id."""

    trie: marisa_trie.BinaryTrie
    sets: array[int]
    lines: array[int]
    more: list[tuple[int, int, int]] = field(default_factory=list)
    pairs: list[tuple[Pair, ...]] = field(default_factory=lambda: [()])
    silenced: Counter[tuple[int, Why]] = field(default_factory=Counter)
    hits: list[tuple[int, bytes]] = field(default_factory=list)

    def write(self, folder: Path, name: str) -> dict[str, Path]:
        """Section files, named `<name>.<section>`."""
        wide = len(self.pairs) > 0xFFFF
        parts = {part: folder / f"{name}.{part}" for part in ("trie", "sets", "lines", "more")}
        self.trie.save(str(parts["trie"]))
        narrow = self.sets if wide else array("H", self.sets)
        parts["sets"].write_bytes(narrow.tobytes())
        parts["lines"].write_bytes(self.lines.tobytes())
        columns = zip(*sorted(self.more), strict=True) if self.more else ((), (), ())
        parts["more"].write_bytes(b"".join(array("I", column).tobytes() for column in columns))
        return {f"{name}.{part}": path for part, path in parts.items()}


Skip = Callable[[int, int], frozenset[bytes]]
"""Keys of (list number, flags) that a badfilter cancels."""


def build(half: int, lists: Sequence[Parsed], skip: Skip) -> Shard:
    """One half of an index over `lists` (their position is their number)."""
    trie = marisa_trie.BinaryTrie(key for piece in _pieces(lists, half, skip) for key in piece.keys)
    shard = Shard(trie, array("I", bytes(4 * len(trie))), array("I", bytes(4 * len(trie))))
    _assign(shard, _pieces(lists, half, skip))
    return shard


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some thousands of keys of one list that have the same flags, with their lines."""

    pair: Pair
    keys: list[bytes]
    lines: array[int]


def _pieces(lists: Sequence[Parsed], half: int, skip: Skip) -> Iterator[_Piece]:
    for number, parsed in enumerate(lists):
        for (flags, theirs), group in parsed.groups.items():
            if theirs != half:
                continue
            gone = skip(number, flags)
            for keys, lines in group.pairs():
                if gone:
                    chosen = [key not in gone for key in keys]
                    keys = list(compress(keys, chosen))
                    lines = array("I", compress(lines, chosen))
                yield _Piece((number, flags), keys, lines)


def _assign(shard: Shard, pieces: Iterable[_Piece]) -> None:
    """Give every key its set of (list, flags) and its line; the first list has the line table."""
    numbers: dict[tuple[Pair, ...], int] = {(): SILENT}
    merged: dict[tuple[int, Pair], int] = {}
    sets, lines = shard.sets, shard.lines
    for piece in pieces:
        alone = _number(shard, numbers, (piece.pair,))
        ids = array("I", map(shard.trie.__getitem__, piece.keys))
        for at, line in zip(ids, piece.lines, strict=True):
            before = sets[at]
            if not before:
                sets[at] = alone
                lines[at] = line
                continue
            after = merged.get((before, piece.pair))
            if after is None:
                joined = join(shard.pairs[before], piece.pair)
                after = merged[(before, piece.pair)] = _number(shard, numbers, joined)
            if all(other != piece.pair[0] for other, _ in shard.pairs[before]):
                shard.more.append((at, piece.pair[0], line))
            sets[at] = after


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
