"""Due dates: days off, "before" a date, reminders, lateness, expired legal bases (T12)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.errors import EvidenceError
from filterd.evidence.calendar import Due, Stage, due, load, parse, upcoming

VIETNAM = load("vietnam")


def the(id_: str, year: int) -> Due:
    obligation = next(each for each in VIETNAM.obligations if each.id == id_)
    found = due(VIETNAM, obligation, year)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("id_", "year", "hand_in", "late_after"),
    [
        ("unit_annual", 2026, "2026-11-24", "2026-11-24"),  # "before 25/11"
        ("unit_annual", 2029, "2029-11-23", "2029-11-26"),  # 24/11 is a Saturday
        ("aggregate_annual", 2028, "2028-12-08", "2028-12-11"),  # 9/12 is a Saturday
        ("system_unit", 2026, "2026-12-18", "2026-12-21"),  # 20/12 is a Sunday
        ("system_ministry", 2027, "2027-12-24", "2027-12-27"),  # 25/12 is a Saturday
        ("digital_self", 2026, "2026-05-29", "2026-06-01"),  # 31/5 is a Sunday
        ("digital_check", 2027, "2027-06-18", "2027-06-21"),  # 20/6 is a Sunday
        ("digital_self", 2027, "2027-05-31", "2027-05-31"),
    ],
)
def test_due_dates_on_days_off(id_: str, year: int, hand_in: str, late_after: str) -> None:
    found = the(id_, year)
    assert (found.hand_in.isoformat(), found.late_after.isoformat()) == (hand_in, late_after)


def test_reminders_and_lateness() -> None:
    found = the("unit_annual", 2026)
    assert [day.isoformat() for day in found.reminders()] == [
        "2026-10-25",
        "2026-11-17",
        "2026-11-23",
    ]
    assert found.stage(date(2026, 10, 24)) is Stage.AHEAD
    assert found.stage(date(2026, 11, 21)) is Stage.REMIND
    assert found.stage(date(2026, 11, 24)) is Stage.DUE
    assert found.stage(date(2026, 11, 25)) is Stage.LATE
    assert found.stage(date(2026, 12, 1), handed_in=date(2026, 11, 24)) is Stage.DONE
    assert found.stage(date(2026, 12, 1), handed_in=date(2026, 11, 28)) is Stage.DONE_LATE
    assert found.days_late(date(2026, 11, 28)) == 4


def test_an_expired_basis_is_shown_as_expired() -> None:
    assert the("unit_annual", 2025).basis_in_force
    assert not the("unit_annual", 2026).basis_in_force


def test_a_duty_does_not_exist_before_its_decree() -> None:
    obligation = next(each for each in VIETNAM.obligations if each.id == "system_unit")
    assert due(VIETNAM, obligation, 2025) is None


@given(st.dates(date(2025, 1, 1), date(2032, 12, 31)))
def test_hand_in_is_a_working_day_never_after_the_date(day: date) -> None:
    for found in upcoming([VIETNAM], day, "school"):
        assert VIETNAM.is_working(found.hand_in)
        assert VIETNAM.is_working(found.late_after)
        assert found.hand_in <= found.nominal
        assert found.hand_in <= found.late_after <= found.nominal + timedelta(days=12)


def test_semesters() -> None:
    assert VIETNAM.semester(date(2026, 11, 21)) == "2026-2027/1"
    assert VIETNAM.semester(date(2026, 7, 1)) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "id: x", "id: x\nweekend: 5\nrecipients: {}", "a: &a [*a]"],
)
def test_a_broken_calendar_is_refused(text: str) -> None:
    with pytest.raises(EvidenceError):
        parse(text)
