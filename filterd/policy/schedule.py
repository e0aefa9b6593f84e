"""When a period of a tier runs, and when that changes next. Wall-clock time of the school's zone.

A range belongs to the day on which it starts, also past midnight. Where the clocks are changed,
wall-clock time decides: a range is running exactly while a clock on the wall says so.
Knows no ruleset; the instant is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import reduce

from filterd.policy.model import Calendar, Effect, Period, Range, SchoolCalendar, Tier, YouTube

HORIZON = timedelta(days=8)
"""How far ahead a change is looked for; later ones are found by asking again at the horizon."""
STRICTNESS = (YouTube.OFF, YouTube.MODERATE, YouTube.STRICT)
_DAY = timedelta(days=1)


def day_kinds(day: date, calendar: SchoolCalendar) -> frozenset[Calendar]:
    """What kind of day it is. Exam beats holiday beats term; an exam day is a term day too.

    Days outside every term are holidays; a school that writes no terms has term all year.
    """
    if any(span.first <= day <= span.last for span in calendar.exams):
        return frozenset({Calendar.ANY, Calendar.EXAM, Calendar.TERM})
    if any(span.first <= day <= span.last for span in calendar.holidays):
        return frozenset({Calendar.ANY, Calendar.HOLIDAY})
    if not calendar.terms or any(span.first <= day <= span.last for span in calendar.terms):
        return frozenset({Calendar.ANY, Calendar.TERM})
    return frozenset({Calendar.ANY, Calendar.HOLIDAY})


def active(period: Period, local: datetime, calendar: SchoolCalendar) -> bool:
    """Whether the period runs at this local wall-clock time."""
    today, clock = local.date(), local.time()
    for span in period.ranges:
        if span.end > span.start:
            if span.start <= clock < span.end and _starts(period, today, calendar):
                return True
            continue
        if clock >= span.start and _starts(period, today, calendar):
            return True
        if clock < span.end and _starts(period, today - _DAY, calendar):
            return True
    return False


def _starts(period: Period, day: date, calendar: SchoolCalendar) -> bool:
    if day.weekday() not in period.weekdays:
        return False
    return not period.on or not period.on.isdisjoint(day_kinds(day, calendar))


def running(tier: Tier, local: datetime, calendar: SchoolCalendar) -> tuple[int, ...]:
    """Positions of the tier's periods that run at this local time."""
    return tuple(
        number for number, period in enumerate(tier.schedule) if active(period, local, calendar)
    )


def next_change(
    tier: Tier, calendar: SchoolCalendar, at: datetime, zone: tzinfo
) -> datetime | None:
    """The first instant after `at` at which other periods run (UTC), or None without a schedule.

    When nothing changes within the horizon, the horizon: ask again then.
    """
    if not tier.schedule:
        return None
    start = at.astimezone(UTC)
    end = start + HORIZON
    before = running(tier, start.astimezone(zone), calendar)
    for moment in sorted(_candidates(tier.schedule, start, end, zone)):
        if running(tier, moment.astimezone(zone), calendar) != before:
            return moment
    return end


def _candidates(
    periods: Iterable[Period], start: datetime, end: datetime, zone: tzinfo
) -> set[datetime]:
    """Every instant in (start, end] at which the wall clock may cross the edge of a range."""
    clocks = {edge for period in periods for span in period.ranges for edge in _edges(span)}
    found: set[datetime] = set()
    day = start.astimezone(zone).date() - _DAY
    while day <= end.astimezone(zone).date() + _DAY:
        midnight = datetime.combine(day, time(), UTC)
        found.update(_clock_changes(midnight - _DAY, midnight, zone))
        for clock in clocks:
            wall = datetime.combine(day, clock, zone)
            found.add(wall.astimezone(UTC))
            found.add(wall.replace(fold=1).astimezone(UTC))
        day += _DAY
    return {moment for moment in found if start < moment <= end}


def _edges(span: Range) -> tuple[time, time, time]:
    # Midnight too: weekday and kind of day turn there, which ends a range that fills the day.
    return span.start, span.end, time()


def _clock_changes(start: datetime, end: datetime, zone: tzinfo) -> set[datetime]:
    """The instant (to the second) within (start, end] at which the zone's offset changes."""
    before = start.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() == before:
        return set()
    low, high = 0, int((end - start).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        offset = (start + timedelta(seconds=middle)).astimezone(zone).utcoffset()
        low, high = (middle, high) if offset == before else (low, middle)
    return {start + timedelta(seconds=high)}


def stricter(one: YouTube, other: YouTube) -> YouTube:
    """The stricter of two restricted modes."""
    return max(one, other, key=STRICTNESS.index)


def strict_part(effect: Effect) -> Effect:
    """What of a period's effect holds when nobody knows the time: only what tightens."""
    return replace(
        effect,
        allow=frozenset(),
        allow_services=frozenset(),
        allow_only=True if effect.allow_only else None,
    )


def together(effects: Iterable[Effect]) -> Effect:
    """Several periods at once: every block holds, an allow holds where no other period blocks."""
    joined = reduce(_join, effects, Effect())
    return replace(
        joined,
        allow=joined.allow - joined.block,
        allow_services=joined.allow_services - joined.block_services,
    )


def _join(one: Effect, other: Effect) -> Effect:
    return Effect(
        one.block | other.block,
        one.allow | other.allow,
        one.block_services | other.block_services,
        one.allow_services | other.allow_services,
        _either(one.allow_only, other.allow_only),
        _stricter_or_none(one.youtube, other.youtube),
    )


def _either(one: bool | None, other: bool | None) -> bool | None:
    if one is None or other is None:
        return other if one is None else one
    return one or other


def _stricter_or_none(one: YouTube | None, other: YouTube | None) -> YouTube | None:
    if one is None or other is None:
        return other if one is None else one
    return stricter(one, other)
