"""T4, T7, T9 and T12 of the requirements: failing lists, cells, days nobody can link, dates.

The properties behind T7 and T12 are in tests/unit/evidence; here are the cases the method names.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from filterd.app.seen import SeenLately
from filterd.errors import EvidenceError
from filterd.evidence import calendar
from filterd.evidence.canonical import digest
from filterd.evidence.indicators import Facts, Period, Verdict, compute
from filterd.evidence.suppression import Cell, Ledger, suppress
from filterd.lists import gate
from filterd.metrics.seen import Seen
from tests.lab.evidence_school import METHOD
from tests.lab.school_month import perfect_month

RULE = METHOD.privacy


@pytest.mark.parametrize(("entries", "kept_back"), [(790, True), (810, False), (0, True)])
def test_T4_a_list_that_shrinks_by_a_fifth_is_kept_back(entries: int, kept_back: bool) -> None:
    figures = {
        "before": 1000, "entries": entries, "removed": 1000 - entries, "mistakes": 0,
        "lines": entries, "protected": [],
    }  # fmt: skip
    assert bool(gate.reasons(figures, ())) is kept_back


def test_T4_the_old_list_turns_I4_red_once_it_is_too_old() -> None:
    period = Period.month("2026-11", date(2026, 11, 30))
    for hours, verdict in ((48, Verdict.PASS), (49, Verdict.FAIL)):
        month = perfect_month()
        for fact in month[-1]["lists"]:
            if fact["category"] == "malware":
                fact["checked_h"] = hours
        assert compute(Facts.gather(period, month), METHOD)["I4"].verdict is verdict


@pytest.mark.parametrize("clients", range(1, 10))
def test_T7_one_to_nine_clients_stay_hidden_and_no_total_gives_them_away(clients: int) -> None:
    table = {
        "primary": {"games": Cell(400, 31, 60), "self_harm": Cell(30 * clients, clients, 30)},
        "staff": {"games": Cell(90, 20, 9)},
    }
    release = suppress("2026-10", table, RULE)
    assert release.rows["primary"].cells["self_harm"] is None
    assert (
        release.rows["primary"].total is None
    )  # 2 cells: hiding one would leave it by subtraction
    assert release.total is None


def test_T7_one_client_with_95_percent_is_hidden() -> None:
    release = suppress("2026-10", {"primary": {"games": Cell(1_000, 40, 950)}}, RULE)
    assert release.rows["primary"].cells["games"] is None


def test_T7_no_month_can_be_subtracted_from_another() -> None:
    """The same month a day earlier and a day later would differ by one day's pupils."""
    before = suppress("2026-10", {"primary": {"games": Cell(400, 31, 60)}}, RULE)
    after = suppress("2026-10", {"primary": {"games": Cell(420, 32, 60)}}, RULE)
    ledger = Ledger({"2026-10": digest(repr(before).encode())})
    with pytest.raises(EvidenceError):
        ledger.check("2026-10", "2026-11", digest(repr(after).encode()))
    with pytest.raises(EvidenceError):
        ledger.check("2026-11", "2026-11", "")


def test_T9_the_same_client_cannot_be_followed_over_midnight() -> None:
    """Marks of two days have nothing in common, whatever the client."""
    marks = []
    for key in (b"monday" * 3, b"tuesday" * 3):
        seen = Seen(key)
        for host in range(50):
            seen.blocked("primary", 5, bytes([10, 0, 0, host]), 1)
        marks.append({mark for _, _, mark, _ in seen.take(b"next").refusals})
    assert len(marks[0]) == len(marks[1]) == 50
    assert not marks[0] & marks[1]


async def test_T9_the_day_s_key_is_replaced_at_midnight_and_kept_nowhere() -> None:
    told: list[str] = []

    class Workers:
        def states(self) -> Any:
            return ()

        async def tell(self, frame: dict[str, Any], seconds: float = 5.0) -> list[dict[str, Any]]:
            told.append(frame["key"])
            return []

    clock = [datetime(2026, 11, 23, 10, tzinfo=UTC)]
    lately = SeenLately(Workers(), lambda: clock[0], lambda: "Asia/Ho_Chi_Minh")
    await lately.poll()
    await lately.poll()
    first = told[-1]
    clock[0] += timedelta(days=1)
    await lately.poll()
    await lately.poll()
    assert told[0] == told[1] == first
    assert told[-1] != first
    lately.forget_ended()
    assert first not in repr(vars(lately)) + repr(lately._today)


@pytest.mark.parametrize(
    ("obligation", "year", "hand_in"),
    [
        ("unit_annual", 2029, "2029-11-23"),  # before 25/11; the 24th is a Saturday
        ("aggregate_annual", 2028, "2028-12-08"),  # before 10/12; the 9th is a Saturday
        ("system_unit", 2026, "2026-12-18"),  # 20/12 is a Sunday
        ("system_ministry", 2027, "2027-12-24"),  # 25/12 is a Saturday
        ("digital_self", 2026, "2026-05-29"),  # 31/5 is a Sunday
        ("digital_check", 2027, "2027-06-18"),  # 20/6 is a Sunday
    ],
)
def test_T12_due_dates_on_days_off(obligation: str, year: int, hand_in: str) -> None:
    vietnam = calendar.load("vietnam")
    duty = next(each for each in vietnam.obligations if each.id == obligation)
    found = calendar.due(vietnam, duty, year)
    assert found is not None
    assert found.hand_in.isoformat() == hand_in


def test_T12_a_partial_report_says_up_to_when_it_counts() -> None:
    period = Period.month("2026-11", date(2026, 11, 21))
    facts = Facts.gather(period, perfect_month())
    assert period.partial
    assert facts.days[-1]["day"] == "2026-11-21"
    assert compute(facts, METHOD)["I14"].n == 21
