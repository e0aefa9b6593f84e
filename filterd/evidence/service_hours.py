"""The hours in which the school is in service: what H of the method is measured in. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from filterd.policy.model import Range, SchoolCalendar, Term

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ServiceHours:
    """The school's own calendar. No hours written: the whole day; no terms: every week."""

    calendar: SchoolCalendar
    zone: tzinfo

    def windows(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """Aware [start, end) of the service that *begins* on that day; may run over midnight."""
        if not self._open(day):
            return
        ranges = self.calendar.service_hours or (Range(time(0), time(0)),)
        for each in ranges:
            start = datetime.combine(day, each.start, self.zone)
            ends_on = day if each.end > each.start else day + _DAY
            yield start, datetime.combine(ends_on, each.end, self.zone)

    def seconds(self, day: date) -> int:
        """Service seconds between this day's midnights."""
        start = datetime.combine(day, time(0), self.zone)
        return round(self.overlap(start, datetime.combine(day + _DAY, time(0), self.zone)))

    def overlap(self, start: datetime, end: datetime) -> float:
        """Seconds of [start, end) in service; overlapping ranges count once."""
        day, last = start.astimezone(self.zone).date() - _DAY, end.astimezone(self.zone).date()
        found = []
        while day <= last:
            found += [(max(a, start), min(b, end)) for a, b in self.windows(day)]
            day += _DAY
        total, reached = 0.0, start
        for a, b in sorted(found):
            if b > max(a, reached):
                total += (b - max(a, reached)).total_seconds()
                reached = b
        return total

    def _open(self, day: date) -> bool:
        def within(terms: tuple[Term, ...]) -> bool:
            return any(term.first <= day <= term.last for term in terms)

        return (
            day.weekday() in self.calendar.service_weekdays
            and (not self.calendar.terms or within(self.calendar.terms))
            and not within(self.calendar.holidays)
        )
