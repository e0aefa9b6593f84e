"""From what people write ("2026-11", "2026-2027/1", "2026") to a period. Pure."""

from __future__ import annotations

import re
from datetime import date

from filterd.errors import EvidenceError
from filterd.evidence.calendar import Calendar
from filterd.evidence.indicators import Period


def period_of(text: str, today: date, calendar: Calendar) -> Period:
    """The period as far as it has gone; EvidenceError `invalid` for anything else or the future."""
    try:
        found = _parsed(text, today, calendar)
    except ValueError:
        found = None
    if found is None or found.first > today:
        raise EvidenceError("invalid", f"{text!r} is no month, half-year or year so far")
    return found


def _parsed(text: str, today: date, calendar: Calendar) -> Period | None:
    if re.fullmatch(r"\d{4}-\d{2}", text):
        return Period.month(text, today)
    if re.fullmatch(r"\d{4}", text):
        first, last = date(int(text), 1, 1), date(int(text), 12, 31)
        return Period(text, first, last, min(last, today))
    for id_, first, last in calendar.semesters:
        if id_ == text:
            return Period(text, first, last, min(last, today))
    return None
