"""The week as rectangles: where each period of a schedule stands on a 7-day, 24-hour grid.

Pure geometry in minutes; the template turns it into an SVG picture. Knows no request.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time

from admin_ui.shared.i18n import gettext as _
from filterd.policy.model import Calendar, Effect, Period

DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of one day: Monday is 0, minutes since midnight, `kind` is how it is drawn."""

    day: int
    start: int
    end: int
    kind: str
    name: str


def minutes(clock: time) -> int:
    """Minutes since midnight."""
    return clock.hour * 60 + clock.minute


def kind(effect: Effect) -> str:
    """`open`, `shut` or `mixed`: what a period mostly does."""
    opens = bool(effect.allow or effect.allow_services or effect.allow_only is False)
    shuts = bool(effect.block or effect.block_services or effect.allow_only)
    return "mixed" if opens == shuts else "open" if opens else "shut"


def blocks(schedule: tuple[Period, ...], kind_of_day: Calendar) -> list[Block]:
    """The ranges that run on such days; one over midnight is drawn on both of its days."""
    found = []
    for period in schedule:
        if period.on and not period.on & {kind_of_day, Calendar.ANY}:
            continue
        for day in sorted(period.weekdays):
            for span in period.ranges:
                start, end, drawn = minutes(span.start), minutes(span.end), kind(period.effect)
                if end > start:
                    found.append(Block(day, start, end, drawn, period.name))
                    continue
                found.append(Block(day, start, DAY_MINUTES, drawn, period.name))
                if end:
                    found.append(Block((day + 1) % 7, 0, end, drawn, period.name))
    return found


def day_words(weekdays: frozenset[int]) -> str:
    """The days in words, three and more in a row as a range."""
    names, parts, day = days(), [], 0
    while day < 7:
        end = day
        while end in weekdays:
            end += 1
        parts.extend([f"{names[day]} – {names[end - 1]}"] if end - day > 2 else names[day:end])
        day = max(end, day) + 1
    return ", ".join(parts)


def days() -> list[str]:
    """The days of the week, Monday first."""
    return [
        _("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"),
        _("Sunday"),
    ]  # fmt: skip
