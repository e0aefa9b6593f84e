"""What the indicators read and what they say: a period's summaries in, a graded value out."""

from __future__ import annotations

import calendar
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from filterd.evidence.method import Method
from filterd.evidence.records import Efficacy, Summary

__all__ = ["Efficacy", "Facts", "Indicator", "Period", "Proof", "Verdict", "grade", "unmeasured"]


class Verdict(enum.StrEnum):
    """`shown`: printed, never scored."""

    PASS = "pass"  # noqa: S105
    WARN = "warn"
    FAIL = "fail"
    UNMEASURED = "unmeasured"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class Indicator:
    """`value` in basis points (None: not measured), rounded against the school; `n` what it rests
    on; `reason` a stable code when a number alone would not explain; `parts` further counts."""

    id: str
    value: int | None
    n: int
    threshold: int
    verdict: Verdict
    reason: str = ""
    parts: Mapping[str, int] = field(default_factory=dict)

    @property
    def measurable(self) -> bool:
        return self.verdict is not Verdict.UNMEASURED


@dataclass(frozen=True, slots=True)
class Period:
    """Calendar days [first, last]; `as_of` is the last day whose summary may be counted."""

    id: str
    first: date
    last: date
    as_of: date

    @classmethod
    def month(cls, id_: str, as_of: date) -> Period:
        """ "2026-11" as far as it has gone on `as_of`; ValueError on anything else."""
        first = date.fromisoformat(f"{id_}-01")
        last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
        return cls(id_, first, last, min(last, as_of))

    @property
    def partial(self) -> bool:
        return self.as_of < self.last


@dataclass(frozen=True, slots=True)
class Proof:
    """I5b of a period, counted at the office: rounds asked, rounds in which the blocked names
    stayed unseen and the control names were seen."""

    rounds: int
    passed: int


@dataclass(frozen=True, slots=True)
class Facts:
    """One school, one period. `days` holds one summary a day, the last one made of each."""

    period: Period
    days: tuple[Summary, ...]
    due_days: int
    efficacy: Efficacy | None = None
    proof: Proof | None = None

    @classmethod
    def gather(
        cls,
        period: Period,
        summaries: Iterable[Summary],
        since: date | None = None,
        efficacy: Efficacy | None = None,
        proof: Proof | None = None,
    ) -> Facts:
        """Of all summaries given, those that count; days before `since` (enrolment) are not due."""
        newest: dict[str, Summary] = {}
        for each in summaries:
            day = date.fromisoformat(each["day"])
            if not (period.first <= day <= period.as_of):
                continue
            kept = newest.get(each["day"])
            if kept is None or kept["counter"] < each["counter"]:
                newest[each["day"]] = each
        first = max(period.first, since) if since else period.first
        due = max(0, (period.as_of - first).days + 1)
        days = tuple(newest[day] for day in sorted(newest))
        return cls(period, days, due, efficacy, proof)


def grade(
    method: Method, id_: str, part: int, whole: int, parts: Mapping[str, int] | None = None
) -> Indicator:
    """`part` of `whole` against the thresholds, compared exactly and printed rounded against us."""
    limit = method.thresholds[id_]
    if whole <= 0:
        return unmeasured(method, id_, "nothing_to_measure")
    scaled = part * 10_000
    if limit.lower_is_better:
        ok, amber = scaled <= limit.ok * whole, scaled <= limit.warn * whole
        value = -(-scaled // whole)
    else:
        ok, amber = scaled >= limit.ok * whole, scaled >= limit.warn * whole
        value = scaled // whole
    verdict = Verdict.PASS if ok else Verdict.WARN if amber else Verdict.FAIL
    return Indicator(id_, value, whole, limit.ok, verdict, parts=parts or {})


def unmeasured(method: Method, id_: str, reason: str, n: int = 0) -> Indicator:
    """Printed as "không đo được" with its reason, never as 100 %."""
    return Indicator(id_, None, n, method.thresholds[id_].ok, Verdict.UNMEASURED, reason)
