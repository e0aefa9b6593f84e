"""What is forgotten when too many names were seen: the rarest, whatever the order they came in."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.listen.drain import open_names
from filterd.metrics import seen
from filterd.metrics.seen import Names, PythonNames, Seen

BOTH = (PythonNames, open_names)


@settings(max_examples=10)
@given(st.sampled_from(BOTH), st.integers(0, 6000), st.integers(1, 5), st.integers(0, 1 << 32))
def test_the_names_used_most_are_kept(
    names: Callable[[], Names], popular: int, uses: int, seed: int
) -> None:
    asked = [(f"\x05p{at:04}\0".encode(), uses) for at in range(popular)]
    asked += [(f"\x06r{at:05}\0".encode(), 1) for at in range(2 * seen.NAMES - popular)]
    random.Random(seed).shuffle(asked)
    found = Seen(bytes(16), names())
    for name, count in asked:
        found.name(name, count, 1)
    report = found.take(bytes(16))
    assert len(report.names) == seen.NAMES
    assert report.forgotten == len(asked) - seen.NAMES
    if uses > 1:
        kept = sum(1 for name, count, _ in report.names if count == uses)
        assert kept == min(popular, seen.NAMES)


@settings(max_examples=6, deadline=None)
@given(
    st.integers(0, 1 << 32), st.sampled_from((40, 9_000, 12_000)), st.sampled_from((2, 5, 1 << 40))
)
def test_both_keep_the_same_names_in_the_same_order(seed: int, labels: int, most: int) -> None:
    chance = random.Random(seed)
    both = PythonNames(), open_names()
    for _ in range(2):  # taken and begun anew
        for _ in range(20_000):
            label = b"%x" % chance.randrange(labels)
            name = bytes([len(label)]) + label + chance.choice((b"\0", b"\3com\0", b"\0" * 200))
            uses, tags = chance.randrange(1, most), 1 << chance.randrange(64)
            for one in both:
                one.name(name, uses, tags)
        assert both[0].take() == both[1].take()
    assert [one.take() for one in both] == [([], 0), ([], 0)]


def test_what_is_longer_than_a_name_is_none() -> None:
    native = open_names()
    native.name(b"\1a" * 127 + b"\0", 1, 1)
    assert len(native.take()[0]) == 1
    if not isinstance(native, PythonNames):
        with pytest.raises(ValueError, match="long"):
            native.name(bytes(256), 1, 1)
