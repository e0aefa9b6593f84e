"""Schedules against an oracle that looks at a wall clock every minute, with and without DST."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filterd.policy import schedule
from filterd.policy.model import (
    Calendar,
    CategoryId,
    Effect,
    Period,
    Range,
    SchoolCalendar,
    Term,
    Tier,
    TierId,
    Title,
    YouTube,
)

HANOI, BERLIN = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Berlin")
GAMES = Effect(allow=frozenset({CategoryId("games")}))
EVERY_DAY = frozenset(range(7))
CALENDAR = SchoolCalendar(
    terms=(Term("HK1", date(2026, 9, 5), date(2027, 1, 16)),),
    holidays=(Term("Tết", date(2027, 1, 1), date(2027, 1, 1)),),
    exams=(Term("Thi", date(2026, 12, 21), date(2026, 12, 26)),),
)


def period(*ranges: str, on: tuple[Calendar, ...] = (), days: frozenset[int] = EVERY_DAY) -> Period:
    spans = []
    for text in ranges:
        start, end = (time.fromisoformat(part) for part in text.split("-"))
        spans.append(Range(start, end))
    return Period("p", days, tuple(spans), frozenset(on), GAMES)


def tier(*periods: Period) -> Tier:
    return Tier(TierId("t"), Title("t", "t"), True, frozenset(), schedule=periods)


def at(text: str, zone: ZoneInfo = HANOI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("when", "runs"),
    [
        ("2026-11-23T06:59", False),
        ("2026-11-23T07:00", True),
        ("2026-11-23T11:29", True),
        ("2026-11-23T11:30", False),
        ("2026-11-23T13:30", True),
        ("2026-11-23T17:00", False),
    ],
)
def test_two_ranges_a_day(when: str, runs: bool) -> None:
    lesson = period("07:00-11:30", "13:30-17:00")
    assert schedule.active(lesson, at(when), SchoolCalendar()) is runs


@pytest.mark.parametrize(
    ("when", "runs"),
    [
        ("2026-11-22T23:00", False),  # Sunday night: the range starts on Mondays
        ("2026-11-23T21:59", False),
        ("2026-11-23T22:00", True),
        ("2026-11-24T05:59", True),
        ("2026-11-24T06:00", False),
        ("2026-11-24T23:00", False),
    ],
)
def test_over_midnight_belongs_to_the_day_it_starts(when: str, runs: bool) -> None:
    night = period("22:00-06:00", days=frozenset({0}))
    assert schedule.active(night, at(when), SchoolCalendar()) is runs


def test_equal_ends_are_a_whole_day() -> None:
    assert schedule.active(period("00:00-00:00"), at("2026-11-23T23:59"), SchoolCalendar())


@pytest.mark.parametrize(
    ("day", "kinds"),
    [
        ("2026-11-23", {Calendar.ANY, Calendar.TERM}),
        ("2026-12-22", {Calendar.ANY, Calendar.TERM, Calendar.EXAM}),
        ("2027-01-01", {Calendar.ANY, Calendar.HOLIDAY}),
        ("2027-07-01", {Calendar.ANY, Calendar.HOLIDAY}),
    ],
)
def test_kinds_of_day(day: str, kinds: set[Calendar]) -> None:
    assert schedule.day_kinds(date.fromisoformat(day), CALENDAR) == kinds


def test_without_terms_every_day_is_term() -> None:
    assert Calendar.TERM in schedule.day_kinds(date(2027, 7, 1), SchoolCalendar())


def test_next_change_in_the_evening() -> None:
    found = schedule.next_change(
        tier(period("17:30-20:30")), CALENDAR, at("2026-11-23T09:00"), HANOI
    )
    assert found == at("2026-11-23T17:30")


def test_without_a_schedule_nothing_changes() -> None:
    assert schedule.next_change(tier(), CALENDAR, at("2026-11-23T09:00"), HANOI) is None


def test_a_quiet_week_ends_at_the_horizon() -> None:
    summer = tier(period("08:00-09:00", on=(Calendar.TERM,)))
    start = at("2027-07-01T09:00")
    assert schedule.next_change(summer, CALENDAR, start, HANOI) == start + schedule.HORIZON


def test_clocks_go_back_through_a_range() -> None:
    """Berlin 2026-10-25: 02:00–02:59 comes twice; a range until 02:30 runs twice."""
    night = tier(period("02:00-02:30"))
    seen = [datetime(2026, 10, 24, 23, 0, tzinfo=UTC)]
    while len(seen) < 5:
        found = schedule.next_change(night, SchoolCalendar(), seen[-1], BERLIN)
        assert found is not None
        seen.append(found)
    assert [moment.strftime("%H:%M") for moment in seen[1:]] == ["00:00", "00:30", "01:00", "01:30"]


clock = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
spans = st.builds(Range, clock, clock)
periods = st.builds(
    lambda days, ranges, on: Period("p", days, tuple(ranges), on, GAMES),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.lists(spans, min_size=1, max_size=3),
    st.frozensets(st.sampled_from(list(Calendar)), max_size=2),
)
moments = st.one_of(
    st.datetimes(datetime(2026, 10, 24, 18), datetime(2026, 10, 25, 6)),
    st.datetimes(datetime(2027, 3, 27, 18), datetime(2027, 3, 28, 6)),
    st.datetimes(datetime(2026, 12, 19), datetime(2027, 1, 18)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(periods, min_size=1, max_size=2), moments, st.sampled_from([HANOI, BERLIN]))
@example([period("02:30-03:00")], datetime(2027, 3, 28, 0, 30), BERLIN)
def test_next_change_is_what_a_minute_by_minute_watch_sees(
    chosen: list[Period], naive: datetime, zone: ZoneInfo
) -> None:
    start = naive.replace(tzinfo=UTC, second=0, microsecond=0)
    watched = tier(*chosen)
    found = schedule.next_change(watched, CALENDAR, start, zone)
    assert found is not None
    before = [_oracle(p, start.astimezone(zone)) for p in chosen]
    moment = start
    while moment < min(found, start + timedelta(hours=30)):
        assert [_oracle(p, moment.astimezone(zone)) for p in chosen] == before, moment
        moment += timedelta(minutes=1)
    if found < start + schedule.HORIZON:
        assert [_oracle(p, found.astimezone(zone)) for p in chosen] != before


def _oracle(chosen: Period, local: datetime) -> bool:
    """Counts minutes from midnight instead of comparing times, yesterday's ranges + 24 h."""
    minute = local.hour * 60 + local.minute
    for back in (0, 1):
        day = local.date() - timedelta(days=back)
        kinds = schedule.day_kinds(day, CALENDAR)
        if day.weekday() not in chosen.weekdays or (chosen.on and not chosen.on & kinds):
            continue
        for span in chosen.ranges:
            start = span.start.hour * 60 + span.start.minute
            end = span.end.hour * 60 + span.end.minute
            end += 1440 if end <= start else 0
            if start <= minute + back * 1440 < end:
                return True
    return False


def test_several_periods_at_once_block_beats_allow() -> None:
    games = frozenset({CategoryId("games")})
    joined = schedule.together(
        [Effect(allow=games, youtube=YouTube.MODERATE), Effect(block=games, youtube=YouTube.STRICT)]
    )
    assert joined.block == games and not joined.allow and joined.youtube is YouTube.STRICT


def test_an_unknown_time_keeps_only_what_tightens() -> None:
    effect = Effect(
        block=frozenset({CategoryId("games")}),
        allow=frozenset({CategoryId("social")}),
        allow_only=False,
    )
    strict = schedule.strict_part(effect)
    assert strict.block and not strict.allow and strict.allow_only is None
