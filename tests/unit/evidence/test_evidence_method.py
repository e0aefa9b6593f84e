"""The method as data, and the bounds it uses."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.errors import EvidenceError
from filterd.evidence.method import load, parse
from filterd.evidence.wilson import wilson


def test_method_v0_is_proposed_and_dated() -> None:
    method = load("v0")
    assert method.status == "proposed"
    assert not method.valid_on(date(2026, 8, 31))
    assert method.valid_on(date(2030, 1, 1))


def test_every_indicator_of_the_specification_is_there() -> None:
    names = "I1 I2 I2b I3 I4 I5 I5b I6 I7 I7i I8 I9 I10 I11 I12 I13 I14"
    assert list(load("v0").thresholds) == names.split()


def test_every_mandatory_category_has_a_list_rule() -> None:
    method = load("v0")
    for tier, categories in method.mandatory.items():
        assert set(categories) <= set(method.lists), tier


@pytest.mark.parametrize("version", ["v9", "../method-v0", ""])
def test_an_unknown_method_is_refused(version: str) -> None:
    with pytest.raises(EvidenceError):
        load(version)


@pytest.mark.parametrize("text", ["", "version: v0", "- a", "indicators: [1]"])
def test_a_broken_method_is_refused(text: str) -> None:
    with pytest.raises(EvidenceError):
        parse(text)


@pytest.mark.parametrize(
    ("hits", "n", "lower"),
    [(293, 300, 0.9526), (268, 300, 0.8532), (92, 100, 0.8500)],
)
def test_wilson_lower_bounds_of_the_method_paper(hits: int, n: int, lower: float) -> None:
    assert wilson(hits, n)[0] == pytest.approx(lower, abs=2e-4)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_brackets_the_share(trial: tuple[int, int]) -> None:
    hits, n = trial
    low, high = wilson(hits, n)
    assert 0 <= low <= hits / n + 1e-12
    assert hits / n - 1e-12 <= high <= 1


def test_nothing_tried_proves_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
