"""Which parts of a policy are in force for a tier and segment at an instant, and until when.

The instant None means that the clock is not trusted: every timed block holds, no timed allow does,
every exam goes on. Knows no list and makes no verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from filterd.policy import schedule
from filterd.policy.model import AuthorityEntry, Override, Policy, SegmentId, Tier, TierId


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule has to hold: a tier, and a segment if any rule names it."""

    tier: Tier
    segment: SegmentId | None


@dataclass(frozen=True, slots=True)
class State:
    """What is in force, as positions in the policy; equal states mean equal rules."""

    tier: TierId
    segment: SegmentId | None
    running: tuple[int, ...] | None
    overrides: tuple[int, ...] = ()
    exams: tuple[int, ...] = ()
    orders: tuple[int, ...] = ()


def scope(rule: Override, place: Place) -> int | None:
    """How narrowly a rule speaks about a place (2 segment, 1 tier, 0 all); None: it does not."""
    if (rule.tiers and place.tier.id not in rule.tiers) or (
        rule.segments and place.segment not in rule.segments
    ):
        return None
    return 2 if rule.segments else 1 if rule.tiers else 0


def state_at(policy: Policy, place: Place, at: datetime | None, zone: ZoneInfo) -> State:
    """The state of a place at an instant."""
    tier, segment = place.tier, place.segment
    running: tuple[int, ...] | None = None
    if at is not None:
        running = schedule.running(tier, at.astimezone(zone), policy.calendar)
    return State(
        tier.id,
        segment,
        running,
        overrides=tuple(
            number
            for number, rule in enumerate(policy.overrides)
            if scope(rule, place) is not None and _alive(rule, at)
        ),
        exams=tuple(
            number
            for number, exam in enumerate(policy.exams)
            if segment in exam.segments and (at is None or at < exam.until)
        ),
        orders=tuple(
            number
            for number, order in enumerate(policy.authority)
            if at is None or (end := _end(order, zone)) is None or at < end
        ),
    )


def until(policy: Policy, place: Place, at: datetime | None, zone: ZoneInfo) -> datetime | None:
    """The first instant after `at` at which the state may be another (UTC); None: never."""
    if at is None:
        return None
    edges = [schedule.next_change(place.tier, policy.calendar, at, zone)]
    for rule in policy.overrides:
        if scope(rule, place) is not None:
            edges.append(rule.expires)
            edges.append(rule.exception.approved_at if rule.exception else None)
    edges.extend(exam.until for exam in policy.exams if place.segment in exam.segments)
    edges.extend(_end(order, zone) for order in policy.authority)
    later = [edge.astimezone(UTC) for edge in edges if edge is not None and edge > at]
    return min(later, default=None)


def _alive(rule: Override, at: datetime | None) -> bool:
    if at is None:
        return rule.expires is None or not rule.allow
    if rule.exception is not None and at < rule.exception.approved_at:
        return False
    return rule.expires is None or at < rule.expires


def _end(order: AuthorityEntry, zone: ZoneInfo) -> datetime | None:
    """The first instant after the order's last day, in the school's time."""
    if order.expires is None:
        return None
    return datetime.combine(order.expires + timedelta(days=1), time(), zone)
