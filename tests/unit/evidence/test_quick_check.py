"""The quick check accepts exactly what the general validator accepts."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from filterd.evidence import governance, summary
from filterd.evidence.quick_check import compiled, resolved
from tests.lab.school_month import perfect_day

SCHEMA = summary.schema()
FITS = compiled(SCHEMA)
GENERAL = Draft202012Validator(SCHEMA)
STRANGE = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 200_000), st.text(max_size=70),
    st.lists(st.integers(-1, 5), max_size=12), st.dictionaries(st.text(max_size=40), st.integers()),
)  # fmt: skip


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(node, dict):
        for key, child in node.items():
            found += places(child, (*path, key))
    elif isinstance(node, list):
        for index, child in enumerate(node[:2]):
            found += places(child, (*path, index))
    return found


PLACES = places(perfect_day())[1:]


@settings(max_examples=300, deadline=None)
@given(place=st.sampled_from(PLACES), value=STRANGE, remove=st.booleans(), extra=st.booleans())
def test_both_say_the_same_of_a_damaged_summary(
    place: tuple[Any, ...], value: object, remove: bool, extra: bool
) -> None:
    record: Any = copy.deepcopy(perfect_day())
    node = record
    for key in place[:-1]:
        node = node[key]
    if extra and isinstance(node, dict):
        node["extra"] = value
    elif remove:
        del node[place[-1]]
    else:
        node[place[-1]] = value
    assert FITS(record) == GENERAL.is_valid(record)


def test_a_good_day_fits() -> None:
    assert FITS(json.loads(summary.encode(perfect_day())))


def test_an_unknown_keyword_is_refused_when_the_schema_is_read() -> None:
    with pytest.raises(ValueError, match="dependentSchemas"):
        compiled({"type": "object", "dependentSchemas": {}})


RECORD = {
    "roles": [{"role": "head", "name": "Lan", "assigned_on": "2026-08-01", "trained_on": None}],
    "reviews": [{"date": "2026-09-01", "trigger": "yearly", "findings": "-", "closed": True}],
    "review_due_since": "2026-10-01",
    "checks": [{"semester": "2026-2027/1", "tier": "primary", "date": "2026-09-10"}],
    "notice": {"version": "2", "date": "2026-09-05", "current": True},
    "actions": [{"indicator": "I3", "due": "2026-12-01", "text": "-"}],
    "sessions": [{"date": "2026-09-20", "title": "-", "participants": 40}],
    "dpia": "draft",
}
DAYS = st.sampled_from(
    ["2026-02-29", "2028-02-29", "2026-1-1", "2026-01-01\n", "20260101", "٢٠٢٦-٠١-٠١"]
)
GOVERNED = compiled(resolved(governance.schema()))
ANY_GOVERNED = Draft202012Validator(
    governance.schema(), format_checker=Draft202012Validator.FORMAT_CHECKER
)


@settings(max_examples=200, deadline=None)
@given(place=st.sampled_from(places(RECORD)[1:]), value=st.one_of(STRANGE, DAYS))
def test_both_say_the_same_of_what_staff_entered(place: tuple[Any, ...], value: object) -> None:
    record: Any = copy.deepcopy(RECORD)
    node = record
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    assert GOVERNED(record) == ANY_GOVERNED.is_valid(record)


@pytest.mark.parametrize("record", [{}, RECORD], ids=["nothing yet", "everything"])
def test_what_staff_may_enter_fits(record: Any) -> None:
    assert GOVERNED(record)
    assert governance.checked(record) == record


@pytest.mark.parametrize(
    "schema", [{"$ref": "other.json"}, {"$ref": "#/$defs/a", "type": "string"}]
)
def test_an_unknown_reference_is_refused_when_the_schema_is_read(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="reference"):
        resolved({"items": schema})
