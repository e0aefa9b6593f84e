"""The native reader finds in an index file's tables what the library that wrote them finds."""

from __future__ import annotations

import tempfile
from array import array
from pathlib import Path

import marisa_trie
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.listen import drain
from filterd.lists.parsed import half_of, key_of
from filterd.wire.names import Name, to_wire

pytestmark = pytest.mark.skipif(not drain.COMPILED, reason="nothing was compiled here")
if drain.COMPILED:
    from filterd.listen import _native

LABEL = st.text("abc-0_", min_size=1, max_size=12)
NAME = st.builds(
    lambda labels, top: ".".join((*labels, top)),
    st.lists(LABEL, max_size=3),
    st.sampled_from(("com", "net", "org", "vn", "co.uk", "xn--p1ai")),
)


class Tables:
    """Both halves of a set of names as the index keeps them; set numbers are key ids + 1."""

    def __init__(self, names: set[str]) -> None:
        keys: tuple[list[bytes], list[bytes]] = ([], [])
        for name in names:
            keys[half_of(key_of(name))].append(key_of(name))
        self.tries = [marisa_trie.BinaryTrie(each) for each in keys]
        self.files = [_aligned(_saved(trie)) for trie in self.tries]
        kind = "B" if len(names) < 250 else "I"
        self.sets = [array(kind, range(1, len(trie) + 1)) for trie in self.tries]

    def halves(self, at: int) -> tuple[object, object, int]:
        """A half as the native part takes it."""
        return self.files[at], self.sets[at], self.sets[at].itemsize

    def native(self) -> _native.Outline:
        """The native reader of them; nothing is touched."""
        return _native.Outline(self.halves(0), self.halves(1), ["touched.example"], [])

    def outline(self, name: str) -> bytes | None:
        """What the library says, in the octets of the native outline."""
        key = key_of(name)
        half = half_of(key)
        found = [
            ((self.tries[half][at] + 1) << 2 | half << 1 | (at == key)).to_bytes(4, "little")
            for at in self.tries[half].prefixes(key)
        ]
        return b"".join(found) if len(found) <= 8 else None


def _saved(trie: marisa_trie.BinaryTrie) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trie"
        trie.save(str(path))
        return path.read_bytes()


def _aligned(octets: bytes) -> array[int]:
    """In a buffer that begins where a mapped section would."""
    return array("Q", octets + bytes(-len(octets) % 8))


@settings(max_examples=200, deadline=None)
@given(st.sets(NAME, max_size=60), st.lists(NAME, max_size=30))
def test_it_finds_the_same_keys(names: set[str], others: list[str]) -> None:
    tables = Tables(names)
    native = tables.native()
    for name in [*names, *others, *(f"www.{name}" for name in names)]:
        assert native.outline(to_wire(Name(name))) == tables.outline(name), name


def test_it_finds_the_same_keys_in_a_large_table() -> None:
    names = {
        f"{a:x}.{'long-' * (a % 5)}{a * 7919 % 1000}.{t}"
        for a in range(9000)
        for t in ("com", "vn")
    }
    tables = Tables(names)
    native = tables.native()
    asked = [
        *names,
        *(f"a.{name}" for name in names),
        *(name[1:] for name in names if name[1] != "."),
    ]
    for name in asked:
        assert native.outline(to_wire(Name(name))) == tables.outline(name), name


PARENTS = ("com", "vn", "a.com", "ab.com", "b.a.com", "a.co.uk", "b.vn", "x" * 44 + ".vn", "0.net")
BELOW = st.builds(
    ".".join, st.tuples(st.sampled_from(("a", "b", "ab", "ba", "0", "w")), st.sampled_from(PARENTS))
)


@settings(max_examples=150, deadline=None)
@given(st.sets(BELOW | NAME, max_size=12), st.lists(BELOW, max_size=60))
def test_what_was_found_for_one_name_never_holds_for_a_sister_that_is_listed(
    names: set[str], asked: list[str]
) -> None:
    """Names right below a few parents, in any order and again: what is kept of a parent shows."""
    tables = Tables(names)
    native = tables.native()
    for name in [*asked, *(f"w.{name}" for name in asked), *reversed(asked)]:
        assert native.outline(to_wire(Name(name))) == tables.outline(name), name


@settings(max_examples=300, deadline=None)
@given(
    st.sets(NAME, min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(0, 1 << 16),
)
def test_a_damaged_table_is_refused_or_gives_some_answer(
    names: set[str], changes: list[tuple[int, int]], cut: int
) -> None:
    """Never a crash and never an endless walk (under AddressSanitizer: no read outside)."""
    tables = Tables(names)
    octets = bytearray(tables.files[0].tobytes())
    for at, value in changes:
        octets[at % len(octets)] = value
    damaged = _aligned(bytes(octets[: cut % len(octets)] if cut % 3 == 0 else octets))
    try:
        native = _native.Outline((damaged, tables.sets[0], True), tables.halves(1), [], [])
    except ValueError:
        return
    for name in names:
        found = native.outline(to_wire(Name(name)))
        assert found is None or len(found) % 4 == 0


def test_what_is_touched_has_no_outline_nor_anything_below_it() -> None:
    native = Tables({"com"}).native()
    for name in ("touched.example", "a.touched.example", "b.a.touched.example"):
        assert native.outline(to_wire(Name(name))) is None
    for name in ("example", "untouched.example", "touched.example.com"):
        assert native.outline(to_wire(Name(name))) is not None


def test_it_refuses_what_it_cannot_read() -> None:
    good = Tables({"a.com"})
    for bad in (b"", b"We love Marisa.\0", bytes(4096), good.files[0].tobytes()[:200]):
        with pytest.raises(ValueError, match="no table of names"):
            _native.Outline((bad, array("I"), True), good.halves(1), [], [])
    with pytest.raises(ValueError, match="piece"):
        _native.Outline(good.halves(0), good.halves(1), [], ["toolong"])
