"""What compiling does for every single name, many names at a time: in C when that was built.

`filterd.lists._native` gives what the functions here give without it, which are its specification.
Pure: octets in, octets and numbers out.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import NamedTuple

from filterd.lists.parsed import FIRST_HALF, Column

try:
    from filterd.lists import _native
except ImportError:  # built without a C compiler
    COMPILED = False
else:
    COMPILED = getattr(_native, "VERSION", 0) == 2


def turned(names: bytes, line: int) -> tuple[Column, Column]:
    """The keys of names that stand one a line, from line number `line` on, by halves."""
    if not COMPILED:
        return turned_python(names, line)
    first, first_lines, second, second_lines = _native.turned(names, line)
    return Column(first, first_lines), Column(second, second_lines)


def turned_python(names: bytes, line: int) -> tuple[Column, Column]:
    """The specification of `turned`."""
    keys = keys_of(names)
    return halves(keys, range(line, line + len(keys)))


def keys_of(names: bytes) -> list[bytes]:
    """Keys of names that stand one a line, in their order."""
    keys = (b"." + names.replace(b"\n", b"\n."))[::-1].split(b"\n")
    keys.reverse()
    return keys


def halves(keys: Sequence[bytes], lines: Sequence[int]) -> tuple[Column, Column]:
    """Keys and their lines dealt out to the halves of the index."""
    first = [key.startswith(FIRST_HALF) for key in keys]
    second = [not wanted for wanted in first]
    one, other = (
        Column(b"\n".join(compress(keys, wanted)), array("I", compress(lines, wanted)).tobytes())
        for wanted in (first, second)
    )
    return one, other


def numbers(texts: Iterable[bytes], probes: Iterable[tuple[int, int]]) -> array[int] | None:
    """The number of each key in a marisa trie of all of them, without asking it for each; None
    when that has to be done.

    `texts`: keys joined by line feeds, in the order in which the trie got them. `probes`: places of
    some keys, and the numbers they have in the library, which may number in another way one day.
    """
    if not COMPILED:
        return None
    found = array("I")
    try:
        found.frombytes(_native.numbers(tuple(texts)))
    except (ValueError, OverflowError):  # a key that is none, or more than sixteen million
        return None
    return found if all(found[place] == number for place, number in probes) else None


class Claim(NamedTuple):
    """Key ids and the line of each."""

    ids: array[int]
    lines: array[int]


def claim(wanted: Claim, sets: array[int], lines: array[int], number: int) -> Claim:
    """Give the keys that are in no set (0) yet set `number` and their line; those that are left:
    in a set before, or more than once in `wanted`.

    IndexError when there is no such key.
    """
    if not COMPILED:
        return claim_python(wanted, sets, lines, number)
    rest = memoryview(_native.claim(wanted.ids, wanted.lines, sets, lines, number)).cast("I")
    ids, their = (array("I", map(column.__getitem__, rest)) for column in wanted)
    return Claim(ids, their)


def claim_python(wanted: Claim, sets: array[int], lines: array[int], number: int) -> Claim:
    """The specification of `claim`."""
    rest = Claim(array("I"), array("I"))
    for at, line in zip(*wanted, strict=True):
        if sets[at]:
            rest.ids.append(at)
            rest.lines.append(line)
        else:
            sets[at], lines[at] = number, line
    return rest
