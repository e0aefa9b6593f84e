"""What is forgotten when too many names were seen: the rarest, whatever the order they came in."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.metrics import seen
from filterd.metrics.seen import Seen


@settings(max_examples=20)
@given(st.integers(0, 6000), st.integers(1, 5), st.integers(0, 1 << 32))
def test_the_names_used_most_are_kept(popular: int, uses: int, seed: int) -> None:
    asked = [(f"\x05p{at:04}\0".encode(), uses) for at in range(popular)]
    asked += [(f"\x06r{at:05}\0".encode(), 1) for at in range(2 * seen.NAMES - popular)]
    random.Random(seed).shuffle(asked)
    found = Seen(bytes(16))
    for name, count in asked:
        found.name(name, count, 1)
    report = found.take(bytes(16))
    assert len(report.names) == seen.NAMES
    assert report.forgotten == len(asked) - seen.NAMES
    if uses > 1:
        kept = sum(1 for name, count, _ in report.names if count == uses)
        assert kept == min(popular, seen.NAMES)
