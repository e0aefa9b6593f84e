"""The shipped school calendar against the moon: Tết and Giỗ Tổ by an astronomical computation.

New moons after Meeus, Astronomical Algorithms, chapter 49; the sun's longitude after chapter 25;
the rules of the Vietnamese calendar: a day begins at midnight UTC+7, month 11 holds the winter
solstice, and a year of 13 months has its leap month where no major solar term falls.
"""

from __future__ import annotations

import itertools
import math
from datetime import date, timedelta

import pytest

from filterd.policy import document
from filterd.policy.model import SchoolCalendar
from filterd.policy.taxonomy import Taxonomy

_MONTH = 29.530588861
_NEW_MOON_2000 = 2451550.09766
_DAY_ONE = date(1970, 1, 1)
_JULIAN_DAY_ONE = 2440587.5
_HANOI = 7 / 24
_DELTA_T = 70 / 86400


def new_moon(number: int) -> date:
    """The Vietnamese day of new moon `number` (0: January 6, 2000)."""
    t = number / 1236.85
    sun, moon, latitude = (
        math.radians(value)
        for value in (
            2.5534 + 29.10535670 * number - 0.0000014 * t * t,
            201.5643 + 385.81693528 * number + 0.0107582 * t * t,
            160.7108 + 390.67050284 * number - 0.0016118 * t * t,
        )
    )
    e = 1 - 0.002516 * t - 0.0000074 * t * t
    found = _NEW_MOON_2000 + _MONTH * number + 0.00015437 * t * t - _DELTA_T
    found += (
        -0.40720 * math.sin(moon)
        + 0.17241 * e * math.sin(sun)
        + 0.01608 * math.sin(2 * moon)
        + 0.01039 * math.sin(2 * latitude)
        + 0.00739 * e * math.sin(moon - sun)
        - 0.00514 * e * math.sin(moon + sun)
        + 0.00208 * e * e * math.sin(2 * sun)
        - 0.00111 * math.sin(moon - 2 * latitude)
        - 0.00057 * math.sin(moon + 2 * latitude)
    )
    return _day(found)


def _day(julian: float) -> date:
    return _DAY_ONE + timedelta(days=math.floor(julian + _HANOI - _JULIAN_DAY_ONE))


def sun_sector(day: date) -> int:
    """Which twelfth of the ecliptic the sun is in as this Vietnamese day begins (0: from 0°)."""
    julian = (day - _DAY_ONE).days + _JULIAN_DAY_ONE - _HANOI + _DELTA_T
    t = (julian - 2451545) / 36525
    mean = 280.46646 + 36000.76983 * t
    m = math.radians(357.52911 + 35999.05029 * t)
    centre = (1.914602 - 0.004817 * t) * math.sin(m) + 0.019993 * math.sin(2 * m)
    node = math.radians(125.04 - 1934.136 * t)
    return int((mean + centre - 0.00569 - 0.00478 * math.sin(node)) % 360 // 30)


def month_eleven(year: int) -> int:
    """The number of the new moon that begins month 11 of a year."""
    first_of_january = (date(year + 1, 1, 1) - date(2000, 1, 6)).days
    number = int(first_of_january / _MONTH) + 1
    while new_moon(number) > date(year, 12, 31) or sun_sector(new_moon(number)) >= 9:
        number -= 1
    return number


def lunar(year: int, month: int, day: int) -> date:
    """The day of a lunar date of months 1 to 10."""
    begin, end = month_eleven(year - 1), month_eleven(year)
    names = itertools.count(11)
    leap_year, seen = end - begin == 13, False
    for number in range(begin, end):
        here = sun_sector(new_moon(number))
        if leap_year and not seen and here == sun_sector(new_moon(number + 1)):
            seen = True
            continue
        if (next(names) - 1) % 12 + 1 == month:
            return new_moon(number) + timedelta(days=day - 1)
    raise AssertionError("no such month")


@pytest.mark.parametrize(
    ("year", "tet", "gio_to"),
    [
        (1985, "1985-01-21", None),  # a month before China's
        (2007, "2007-02-17", None),  # a day before China's
        (2020, "2020-01-25", "2020-04-02"),  # leap month 4
        (2023, "2023-01-22", "2023-04-29"),  # leap month 2
        (2024, "2024-02-10", "2024-04-18"),
        (2025, "2025-01-29", "2025-04-07"),
        (2026, "2026-02-17", "2026-04-26"),
    ],
)
def test_the_computation_gives_the_days_that_were_kept(
    year: int, tet: str, gio_to: str | None
) -> None:
    assert lunar(year, 1, 1).isoformat() == tet
    assert gio_to is None or lunar(year, 3, 10).isoformat() == gio_to


@pytest.fixture
def calendar(shipped_files: dict[str, str], taxonomy: Taxonomy) -> SchoolCalendar:
    return document.parse(shipped_files, taxonomy).calendar


def test_tet_and_gio_to_are_where_the_moon_puts_them(calendar: SchoolCalendar) -> None:
    years = {term.last.year for term in calendar.terms if term.last.month == 5}
    assert years == {2027, 2028}
    for year in years:
        (tet,) = [h for h in calendar.holidays if "Nguyên đán" in h.name and h.first.year == year]
        # the eve, and the four days after it that the Labour Code (art. 112) counts in all
        first = lunar(year, 1, 1)
        assert tet.first < first and first + timedelta(days=3) <= tet.last
        (gio_to,) = [h for h in calendar.holidays if "Giỗ Tổ" in h.name and h.first.year == year]
        assert gio_to.first == gio_to.last == lunar(year, 3, 10)


def test_every_day_off_of_the_labour_code_that_falls_into_a_term_is_one(
    calendar: SchoolCalendar,
) -> None:
    def off(day: date) -> bool:
        return any(h.first <= day <= h.last for h in calendar.holidays)

    for year in (2027, 2028):
        for month, day in ((1, 1), (4, 30), (5, 1)):
            assert off(date(year, month, day)), (year, month, day)


def test_terms_stand_in_the_ministrys_frame(calendar: SchoolCalendar) -> None:
    """Opening on 5 September, the year over by 31 May, 35 weeks of lessons (18 and 17)."""
    autumn, spring = calendar.terms[::2], calendar.terms[1::2]
    for first, second in zip(autumn, spring, strict=True):
        assert (first.first.month, first.first.day) == (9, 5)
        assert second.last == date(first.first.year + 1, 5, 31)
        assert first.last < second.first <= first.last + timedelta(days=3)
        assert 18 <= (first.last - first.first).days / 7 <= 20
        holidays = sum(
            (min(h.last, second.last) - max(h.first, second.first)).days + 1
            for h in calendar.holidays
            if h.last >= second.first and h.first <= second.last
        )
        assert ((second.last - second.first).days + 1 - holidays) / 7 >= 16.5
