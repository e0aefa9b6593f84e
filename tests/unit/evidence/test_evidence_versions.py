"""Which version of the method judges a day, and what an office may write into one."""

from __future__ import annotations

from datetime import date

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.errors import EvidenceError
from filterd.evidence import versions
from filterd.evidence.versions import InUse, Versions, of_bundle, of_texts, shipped, shipped_texts
from tests.lab.methods import edited, v1

DECEMBER = date(2026, 12, 1)


@pytest.mark.parametrize(
    ("begins", "day", "judged_by"),
    [
        ("2026-12-01", date(2026, 11, 30), "v0"),
        ("2026-12-01", date(2026, 12, 1), "v1"),
        ("2026-12-01", date(2026, 12, 31), "v1"),
        # In the middle of a month: the next whole month is the first.
        ("2026-11-15", date(2026, 11, 30), "v0"),
        ("2026-11-15", date(2026, 12, 1), "v1"),
        # Before the first of all begins, it is the first all the same.
        ("2026-12-01", date(2025, 1, 1), "v0"),
    ],
)
def test_a_month_is_judged_by_the_version_in_force_on_its_first_day(
    begins: str, day: date, judged_by: str
) -> None:
    found = of_texts({**shipped_texts(), "v1": v1(begins)})
    assert found.on(day).version == judged_by


def test_a_version_that_ended_gives_way_to_the_one_before() -> None:
    trial = edited(version="v1", valid_from=date(2026, 12, 1), valid_to=date(2026, 12, 31))
    found = of_texts({**shipped_texts(), "v1": trial})
    assert [found.on(date(2027, month, 5)).version for month in (1, 2)] == ["v0", "v0"]
    assert found.on(DECEMBER).version == "v1"


THREE = {**shipped_texts(), "v1": v1("2026-12-01"), "v2": v1("2027-06-01", "v2")}


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)))
def test_every_day_has_exactly_one(day: date) -> None:
    found = of_texts(THREE)
    assert found.on(day) is found.on(day.replace(day=1))


FAULTS = {
    "a threshold that is no number": {"indicators": {"I1": {"pass": "99 %"}}},
    "warn above pass": {"indicators": {"I1": {"warn": 9990}}},
    "an effect nobody knows": {"indicators": {"I1": {"unmeasured": "forgive"}}},
    "no such indicator": {"indicators": {"I99": {"pass": 1}}},
    "an open floor": {"locked": {"everyone": ["csam", "authority", "malware"]}},
    "pupils unlocked": {"locked": {"pupils": ["extremism", "gambling"]}},
    "cells of nine": {"privacy": {"k": 9}},
    "cells that one dominates": {"privacy": {"dominance": 9000}},
    "a limit that is text": {"telemetry_min": "most"},
    "a table with a hole": {"sla_hours": {"abuse": None}},
    "an end before its begin": {"valid_to": date(2020, 1, 1)},
    "a moment instead of a day": {"valid_from": "soon"},
    "a version that is a path": {"version": "../v1"},
    "a mandatory list without a rule": {"mandatory": {"primary": ["csam", "astrology"]}},
}


@pytest.mark.parametrize("change", FAULTS.values(), ids=FAULTS)
def test_what_is_no_method_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(EvidenceError) as caught:
        versions.checked(edited(**change))
    assert caught.value.code == "bad_method"


@settings(max_examples=25)  # each writes and reads 200 lines of YAML
@given(st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
), st.sampled_from(sorted(yaml.safe_load(shipped_texts()["v0"]))))  # fmt: skip
def test_whatever_stands_in_one_place_of_it_is_taken_or_refused(value: object, key: str) -> None:
    """Nothing but an EvidenceError comes out, and what is taken can judge."""
    raw = yaml.safe_load(shipped_texts()["v0"])
    raw[key] = value
    try:
        found = versions.checked(yaml.safe_dump(raw, allow_unicode=True))
    except EvidenceError:
        return
    assert Versions((found,)).on(DECEMBER) is found


def test_a_bundle_names_the_version_by_which_a_school_computes() -> None:
    assert of_bundle("v0", {}).on(DECEMBER).version == "v0"
    both = {**shipped_texts(), "v1": v1("2026-12-01")}
    assert of_bundle("v1", both).on(DECEMBER).thresholds["I1"].ok == 9990
    with pytest.raises(EvidenceError):
        of_bundle("v7", {})
    with pytest.raises(EvidenceError):
        of_bundle("v7", both)
    with pytest.raises(EvidenceError):
        of_bundle("v1", {"v1": shipped_texts()["v0"]})


def test_until_an_office_says_otherwise_the_shipped_ones_are_in_use() -> None:
    in_use = InUse()
    assert in_use.on(DECEMBER) == shipped().on(DECEMBER)
    in_use.follow(lambda: of_texts({"v1": v1("2026-09-01")}))
    assert in_use.on(DECEMBER).version == "v1"
    in_use.follow(lambda: None)
    assert in_use.on(DECEMBER).version == "v0"
