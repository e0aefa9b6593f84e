"""The audit chain walked a few entries at a time: the same as all at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from filterd.evidence.audit import Walk, seal


@dataclass(frozen=True)
class Entry:
    """One sealed entry."""

    id: int
    previous: str
    seal: str
    fields: tuple[str, ...]


def chain(texts: list[str]) -> list[Entry]:
    found: list[Entry] = []
    for number, text in enumerate(texts, 1):
        previous = found[-1].seal if found else ""
        found.append(Entry(number, previous, seal(number, previous, (text,)), (text,)))
    return found


@given(
    st.lists(st.text(max_size=5), max_size=30),
    st.lists(st.integers(0, 30), max_size=6),
    st.integers(0, 60),
)
def test_in_any_pieces_the_first_that_does_not_fit_is_found(
    texts: list[str], cuts: list[int], changed: int
) -> None:
    entries = chain(texts)
    if changed < len(entries):
        entries[changed] = replace(entries[changed], fields=("another",))
    walk, at = Walk(), 0
    for cut in (*sorted(cuts), len(entries)):
        found = walk.take(entries[at:cut])
        at = max(at, cut)
    if changed < len(entries) and texts[changed] != "another":
        assert (found.ok, found.checked, found.first_bad) == (False, changed, changed + 1)
    else:
        assert (found.ok, found.checked, found.first_bad) == (True, len(entries), None)
