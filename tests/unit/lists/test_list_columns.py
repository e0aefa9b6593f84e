"""What C does for every name of a list, held against the same in Python and against the library
that writes the index."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import marisa_trie
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filterd.lists import columns
from filterd.lists.entry import SUBTREE
from filterd.lists.parsed import Parsed
from filterd.lists.shard import build

needs_native = pytest.mark.skipif(not columns.COMPILED, reason="built without a C compiler")
LABELS = st.text("ab-1", min_size=1, max_size=3)
ENDS = st.sampled_from(["com", "net", "org", "vn", "xcom", "edu.vn", "co", "m", ""])
NAMES = st.builds(".".join, st.tuples(LABELS, LABELS, ENDS)) | ENDS
KEYS = st.binary(min_size=1, max_size=20).map(lambda key: key.translate(None, b"\0\n") or b"k")
NEAR = st.text("ab", min_size=1, max_size=14).map(str.encode)
"""Keys with long common beginnings, and keys that begin others."""


def no_skip(_number: int, _flags: int) -> frozenset[bytes]:
    return frozenset()


@needs_native
@given(st.lists(NAMES, max_size=60), st.integers(1, 2**31))
@example([], 1)
@example(["com", "xcom", "a.com", "m", "om"], 7)
def test_names_are_turned_and_dealt_out_alike(names: list[str], line: int) -> None:
    text = "\n".join(names).encode()
    assert columns.turned(text, line) == columns.turned_python(text, line)


@needs_native
@given(st.lists(st.lists(NEAR | KEYS, min_size=1, max_size=80), max_size=4))
@example([[b"a", b"a", b"ab"], [b"a", b"abc"]])
@example([[b"elpmaxe.moc.", b"elpmaxe.moc.a.", b"elpmaxe.moc.a.b.", b"elpmaxe.moc."]])
def test_numbers_are_those_of_the_library(pieces: list[list[bytes]]) -> None:
    trie = marisa_trie.BinaryTrie(key for piece in pieces for key in piece)
    numbers = columns.numbers([b"\n".join(piece) for piece in pieces], [])
    assert numbers == array("I", [trie[key] for piece in pieces for key in piece])


@needs_native
def test_many_keys_of_one_beginning_are_numbered_too() -> None:
    """Equal names by the thousand, and names that differ in their last octet alone."""
    keys = [b"moc.%s%d." % (b"x" * (at % 200), at % 997) for at in range(20_000)]
    trie = marisa_trie.BinaryTrie(keys)
    assert columns.numbers([b"\n".join(keys)], []) == array("I", map(trie.__getitem__, keys))


@needs_native
def test_numbers_that_the_library_does_not_give_are_not_used() -> None:
    assert columns.numbers([b"a.\nb."], [(0, 0), (1, 1)]) is not None
    assert columns.numbers([b"a.\nb."], [(0, 0), (1, 0)]) is None
    assert columns.numbers([b"a.\nb\0."], []) is None


@needs_native
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), max_size=30), st.integers(1, 5))
def test_what_no_list_had_before_is_claimed_alike(
    wanted: list[tuple[int, int]], number: int
) -> None:
    asked = columns.Claim(array("I", [i for i, _ in wanted]), array("I", [n for _, n in wanted]))
    tables = [array("I", [0, 7] * 5), array("I", [1] * 10)]
    copies = [array("I", each) for each in tables]
    rest = columns.claim(asked, *tables, number)
    assert (rest, tables) == (columns.claim_python(asked, *copies, number), copies)


@pytest.mark.parametrize("claim", [columns.claim, columns.claim_python])
def test_a_key_that_is_not_there_is_refused(claim: Callable[..., object]) -> None:
    asked = columns.Claim(array("I", [3]), array("I", [1]))
    with pytest.raises(IndexError):
        claim(asked, array("I", [0, 0]), array("I", [0, 0]), 1)


def test_an_index_is_the_same_without_a_c_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    names = b"\n".join(b"n%d.example.%s" % (at % 300, (b"com", b"vn")[at % 2]) for at in range(900))

    def made() -> list[tuple[bytes, array[int], array[int], bytes]]:
        lists = [Parsed(), Parsed()]
        for parsed in lists:
            parsed.add_run(SUBTREE, columns.turned(names, 1))
        halves = [build(half, lists, no_skip) for half in (0, 1)]
        return [(h.trie.tobytes(), h.sets, h.lines, h.more.sorted()) for h in halves]

    first = made()
    monkeypatch.setattr(columns, "COMPILED", False)
    assert made() == first
    assert [len(lines) for _, _, lines, _ in first] == [150, 150]
