"""What waits for the handler: in turn from each source, and never more than the share of one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.resolve.backlog import FEW, Backlog


def one(source: int, number: int = 0) -> tuple[bytes, tuple[int, int]]:
    return bytes([source]), (source, number)


def taken(backlog: Backlog[tuple[int, int]]) -> list[int]:
    return [backlog.take()[0] for _ in range(len(backlog))]


def test_a_second_client_waits_for_one_question_of_the_first_not_for_all() -> None:
    backlog: Backlog[tuple[int, int]] = Backlog()
    backlog.add(one(1, n) for n in range(500))
    backlog.add([one(2)])
    assert taken(backlog)[:3] == [1, 2, 1]


def test_who_floods_loses_his_own_and_others_nothing() -> None:
    backlog: Backlog[tuple[int, int]] = Backlog(most=100)
    assert backlog.add(one(1, n) for n in range(300)) == 200
    assert backlog.add(one(2, n) for n in range(FEW)) == 0
    assert backlog.add([one(2)]) == 1
    assert len(backlog) == 100 + FEW


def test_however_many_sources_there_are_it_ends() -> None:
    backlog: Backlog[tuple[int, int]] = Backlog(most=100)
    lost = backlog.add(one(n % 256, n) for n in range(1000))
    assert (len(backlog), lost) == (200, 800)


def test_nothing_waits() -> None:
    with pytest.raises(IndexError):
        Backlog[int]().take()


@given(st.lists(st.integers(0, 5), max_size=60))
def test_of_one_source_the_first_comes_first(sources: list[int]) -> None:
    backlog: Backlog[tuple[int, int]] = Backlog()
    assert backlog.add(one(source, n) for n, source in enumerate(sources)) == 0
    got = [backlog.take() for _ in sources]
    for source in set(sources):
        numbers = [number for whose, number in got if whose == source]
        assert numbers == sorted(numbers)
    assert not backlog
