"""One half of the index under construction: a trie and, beside it, who lists each key and where.

The names under "com" are two fifths of every list, the rest is the other half; both are built at
the same time, each in a process of its own.
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

SHARDS = ("com", "rest")
_COM = b"moc."
SILENT = 0
"""The set of keys that are stored but say nothing: suffixes and protected names."""

Pair = tuple[int, int]
"""A list's number and the flags of its entry."""


def shard_of(key: bytes) -> str:
    """Which half a key belongs to."""
    return "com" if key.startswith(_COM) else "rest"


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


def build(name: str, lists: Sequence[Parsed], skip: Skip) -> Shard:
    """The half `name` of an index over `lists` (their position is their number)."""
    mine = _COM if name == "com" else b""
    trie = marisa_trie.BinaryTrie(
        key for _, _, keys, _ in _pieces(lists, mine, skip) for key in keys
    )
    shard = Shard(trie, array("I", bytes(4 * len(trie))), array("I", bytes(4 * len(trie))))
    _assign(shard, _pieces(lists, mine, skip))
    return shard


def _pieces(
    lists: Sequence[Parsed], mine: bytes, skip: Skip
) -> Iterator[tuple[int, int, list[bytes], list[int]]]:
    """(list number, flags, keys, lines) of this half only."""
    for number, parsed in enumerate(lists):
        for flags, group in parsed.groups.items():
            gone = skip(number, flags)
            for keys, lines in group.pairs():
                if gone:
                    chosen = [i for i, key in enumerate(keys) if key not in gone]
                    keys, lines = [keys[i] for i in chosen], array("I", [lines[i] for i in chosen])
                if mine:
                    wanted = [key[:4] == mine for key in keys]
                else:
                    wanted = [key[:4] != _COM for key in keys]
                yield number, flags, list(compress(keys, wanted)), list(compress(lines, wanted))


def _assign(shard: Shard, pieces: Iterator[tuple[int, int, list[bytes], list[int]]]) -> None:
    """Give every key its set of (list, flags) and its line; the first list has the line table."""
    numbers: dict[tuple[Pair, ...], int] = {(): SILENT}
    merged: dict[tuple[int, Pair], int] = {}
    sets, lines, key_id = shard.sets, shard.lines, shard.trie.__getitem__
    for number, flags, keys, their_lines in pieces:
        pair = (number, flags)
        alone = _number(shard, numbers, (pair,))
        for key, line in zip(keys, their_lines, strict=True):
            at = key_id(key)
            before = sets[at]
            if not before:
                sets[at] = alone
                lines[at] = line
                continue
            after = merged.get((before, pair))
            if after is None:
                joined = join(shard.pairs[before], pair)
                after = merged[(before, pair)] = _number(shard, numbers, joined)
            if all(other != number for other, _ in shard.pairs[before]):
                shard.more.append((at, number, line))
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
