"""When which report is due to whom, on what legal basis, and when to remind. Pure.

Knows no clock: `today` comes in. Dates, offices and holidays are data (`calendars/*.yaml`).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from typing import cast

import yaml

from filterd.errors import EvidenceError
from filterd.policy.model import Title


@dataclass(frozen=True, slots=True)
class LegalBasis:
    """A document; past `valid_to` it is printed as expired, never silently dropped."""

    id: str
    document: Title
    valid_from: date
    valid_to: date | None
    successor: str | None
    source: str

    def in_force(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Obligation:
    """A yearly duty. `before`: the text says "before" that day, so the day itself is late."""

    id: str
    title: Title
    month: int
    day: int
    before: bool
    sender: str
    recipient: str
    basis: str
    valid_from: date
    valid_to: date | None
    remind: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Calendar:
    """Everything dated, of one country or office; several may be in use at once."""

    id: str
    weekend: frozenset[int]
    yearly: frozenset[tuple[int, int]]
    closed: tuple[tuple[date, date], ...]
    bases: Mapping[str, LegalBasis]
    recipients: Mapping[str, Title]
    obligations: tuple[Obligation, ...]
    semesters: tuple[tuple[str, date, date], ...]

    def is_working(self, day: date) -> bool:
        """Neither weekend nor public holiday."""
        return (
            day.weekday() not in self.weekend
            and (day.month, day.day) not in self.yearly
            and not any(first <= day <= last for first, last in self.closed)
        )

    def working_on_or_before(self, day: date) -> date:
        while not self.is_working(day):
            day -= timedelta(days=1)
        return day

    def working_on_or_after(self, day: date) -> date:
        while not self.is_working(day):
            day += timedelta(days=1)
        return day

    def semester(self, day: date) -> str | None:
        """The half-year that holds the day; None in the summer."""
        return next((id_ for id_, first, last in self.semesters if first <= day <= last), None)


class Stage(enum.StrEnum):
    """Where an obligation stands today."""

    AHEAD = "ahead"
    REMIND = "remind"
    DUE = "due"
    LATE = "late"
    DONE = "done"
    DONE_LATE = "done_late"


@dataclass(frozen=True, slots=True)
class Due:
    """One obligation of one year.

    `nominal` is the date in the text; `hand_in` the last working day that keeps it on any reading;
    `late_after` the last day that is still in time: a term that ends on a day off ends on the next
    working day (Civil Code 2015, Art. 148(5)).
    """

    obligation: Obligation
    nominal: date
    hand_in: date
    late_after: date
    basis_in_force: bool

    def reminders(self) -> tuple[date, ...]:
        return tuple(self.hand_in - timedelta(days=n) for n in self.obligation.remind)

    def stage(self, today: date, handed_in: date | None = None) -> Stage:
        """REMIND from the first reminder on, DUE on the last working day and until late."""
        if handed_in is not None:
            return Stage.DONE if handed_in <= self.late_after else Stage.DONE_LATE
        if today > self.late_after:
            return Stage.LATE
        if today >= self.hand_in:
            return Stage.DUE
        return Stage.REMIND if today >= min(self.reminders(), default=self.hand_in) else Stage.AHEAD

    def days_late(self, on: date) -> int:
        return max(0, (on - self.late_after).days)


def due(calendar: Calendar, obligation: Obligation, year: int) -> Due | None:
    """The obligation in that calendar year; None when it is not valid then."""
    nominal = date(year, obligation.month, obligation.day)
    if nominal < obligation.valid_from or (obligation.valid_to and nominal > obligation.valid_to):
        return None
    last = nominal - timedelta(days=1) if obligation.before else nominal
    basis = calendar.bases.get(obligation.basis)
    return Due(
        obligation,
        nominal,
        calendar.working_on_or_before(last),
        calendar.working_on_or_after(last),
        basis is not None and basis.in_force(nominal),
    )


def upcoming(
    calendars: Iterable[Calendar], today: date, sender: str, days: int = 370
) -> tuple[Due, ...]:
    """Obligations of a sender from 30 days back to `days` ahead, soonest first."""
    found = []
    for calendar in calendars:
        for obligation in calendar.obligations:
            if obligation.sender != sender:
                continue
            for year in (today.year - 1, today.year, today.year + 1):
                each = due(calendar, obligation, year)
                if each and -30 <= (each.late_after - today).days <= days:
                    found.append(each)
    return tuple(sorted(found, key=lambda each: (each.hand_in, each.obligation.id)))


def load(name: str = "vietnam") -> Calendar:
    """A shipped calendar; EvidenceError `unknown_calendar`."""
    file = files("filterd.evidence").joinpath("calendars", f"{name}.yaml")
    if not name.isidentifier() or not file.is_file():
        raise EvidenceError("unknown_calendar", f"no calendar {name!r}")
    return parse(file.read_text("utf-8"))


def parse(text: str) -> Calendar:
    """A calendar from YAML; EvidenceError `bad_calendar` says what is missing or impossible."""
    try:
        return _build(yaml.safe_load(text))
    except (KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise EvidenceError("bad_calendar", f"calendar file: {error!r}") from error


Raw = dict[str, object]


def _build(raw: Raw) -> Calendar:
    def rows(key: str) -> list[Raw]:
        return cast("list[Raw]", raw.get(key, []))

    bases = {str(row["id"]): _basis(row) for row in rows("legal_bases")}
    obligations = tuple(_obligation(row) for row in rows("obligations"))
    for each in obligations:
        if each.basis not in bases:
            raise ValueError(f"{each.id}: no legal basis {each.basis!r}")
        date(2028, each.month, each.day)
    yearly = [str(day).split("-") for day in cast("list[str]", raw.get("holidays_yearly", []))]
    return Calendar(
        id=str(raw["id"]),
        weekend=frozenset(cast("list[int]", raw["weekend"])),
        yearly=frozenset((int(month), int(day)) for month, day in yearly),
        closed=tuple(
            (cast("date", row["first"]), cast("date", row["last"])) for row in rows("holidays")
        ),
        bases=bases,
        recipients={
            role: Title(**title)
            for role, title in cast("dict[str, dict[str, str]]", raw["recipients"]).items()
        },
        obligations=obligations,
        semesters=tuple(
            (str(row["id"]), cast("date", row["first"]), cast("date", row["last"]))
            for row in rows("semesters")
        ),
    )


def _basis(row: Raw) -> LegalBasis:
    return LegalBasis(
        id=str(row["id"]),
        document=Title(**cast("dict[str, str]", row["document"])),
        valid_from=cast("date", row["valid_from"]),
        valid_to=cast("date | None", row["valid_to"]),
        successor=cast("str | None", row["successor"]),
        source=str(row["source"]),
    )


def _obligation(row: Raw) -> Obligation:
    return Obligation(
        id=str(row["id"]),
        title=Title(**cast("dict[str, str]", row["title"])),
        month=cast("int", row["month"]),
        day=cast("int", row["day"]),
        before=bool(row["before"]),
        sender=str(row["from"]),
        recipient=str(row["to"]),
        basis=str(row["basis"]),
        valid_from=cast("date", row["valid_from"]),
        valid_to=cast("date | None", row["valid_to"]),
        remind=tuple(cast("list[int]", row["remind"])),
    )
