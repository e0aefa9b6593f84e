"""Whether one version of a tier is anywhere looser than another, minute by minute of the week.

Every setting that a schedule can move becomes a mask with one bit for each minute of each kind of
day; "looser" is then a question about bits. Knows no calendar dates and no lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from filterd.policy.model import Calendar, Effect, Floor, Period, Range, Tier, YouTube
from filterd.policy.schedule import STRICTNESS
from filterd.policy.taxonomy import FLOOR

_DAY_BITS = 2880
"""A range may run into the next day; its minutes count from the midnight of the day it starts."""
_KINDS = (Calendar.TERM, Calendar.HOLIDAY, Calendar.EXAM)
_ALL = (1 << (_DAY_BITS * 7 * len(_KINDS))) - 1


def looser(old: Tier, new: Tier, homes: Mapping[str, str]) -> bool:
    """Whether anything that `old` refuses at some minute is open in `new` at that minute.

    `homes`: service → its category. For a service that is not in it, allowing it is taken for an
    opening, as nobody knows whether it was open before.
    """
    if old.pupils and not new.pupils:
        return True
    if not old.safe_search <= new.safe_search:
        return True
    if old.block_unsafe_engines and not new.block_unsafe_engines:
        return True
    return looser_schedule(old, new, homes)


def looser_schedule(old: Tier, new: Tier, homes: Mapping[str, str]) -> bool:
    """The same for what a schedule can move alone."""
    categories = _words(old, lambda e: e.block | e.allow) | old.blocked | _floor(old)
    if any(_category(old, word) & ~_category(new, word) for word in categories):
        return True
    services = frozenset[str](old.blocked_services | new.allowed_services)
    for tier in (old, new):
        services |= _words(tier, lambda e: e.block_services | e.allow_services)
    if any(_opens(old, new, service, homes.get(service)) for service in services):
        return True
    return _looser_walls(old, new)


def _opens(old: Tier, new: Tier, service: str, home: str | None) -> bool:
    before_blocked, before_allowed = _service(old, service)
    after_blocked, after_allowed = _service(new, service)
    if home is None:
        return bool(before_blocked & ~after_blocked or after_allowed & ~before_allowed)
    before = before_blocked | (_category(old, home) & ~before_allowed)
    after = after_blocked | (_category(new, home) & ~after_allowed)
    walled = _wall(old) & ~before_allowed
    return bool(before & ~after or walled & after_allowed)


def _floor(tier: Tier) -> frozenset[str]:
    return frozenset(
        category
        for category, floor in FLOOR.items()
        if floor is Floor.EVERYONE or (floor is Floor.PUPILS and tier.pupils)
    )


def _category(tier: Tier, word: str) -> int:
    """The minutes at which a category is blocked."""
    if word in _floor(tier):
        return _ALL
    return _blocked(tier, word in tier.blocked, lambda e: (e.block, e.allow), word)


def _looser_walls(old: Tier, new: Tier) -> bool:
    wall = _wall(old)
    if wall & ~_wall(new):
        return True
    if wall and not (
        set(new.allowed) <= set(old.allowed) and set(new.allowed_groups) <= set(old.allowed_groups)
    ):
        return True
    return any(
        _youtube(old, mode) & ~_youtube(new, mode) for mode in (YouTube.MODERATE, YouTube.STRICT)
    )


def _words(tier: Tier, pick: Callable[[Effect], Iterable[str]]) -> frozenset[str]:
    return frozenset(word for period in tier.schedule for word in pick(period.effect))


def _blocked(
    tier: Tier,
    base: bool,
    pick: Callable[[Effect], tuple[Iterable[str], Iterable[str]]],
    word: str,
) -> int:
    """The minutes at which `word` is blocked: a block of any period holds, then an allow."""
    blocks = allows = 0
    for period in tier.schedule:
        block, allow = pick(period.effect)
        blocks |= coverage(period) if word in block else 0
        allows |= coverage(period) if word in allow else 0
    return blocks | (_ALL & ~allows if base else 0)


def _service(tier: Tier, service: str) -> tuple[int, int]:
    """The minutes at which a service is blocked by name, and allowed by name."""
    blocked = _blocked(
        tier,
        service in tier.blocked_services,
        lambda e: (e.block_services, e.allow_services),
        service,
    )
    # The same question with the words exchanged; a block still beats an allow.
    allowed = _blocked(
        tier,
        service in tier.allowed_services,
        lambda e: (e.allow_services, e.block_services),
        service,
    )
    return blocked, allowed & ~blocked


def _wall(tier: Tier) -> int:
    on = off = 0
    for period in tier.schedule:
        if period.effect.allow_only is not None:
            on |= coverage(period) if period.effect.allow_only else 0
            off |= coverage(period) if not period.effect.allow_only else 0
    return on | (_ALL & ~off if tier.allow_only else 0)


def _youtube(tier: Tier, least: YouTube) -> int:
    """The minutes at which YouTube is restricted at least so much."""
    level = STRICTNESS.index(least)
    strict = said = 0
    for period in tier.schedule:
        mode = period.effect.youtube
        if mode is not None:
            said |= coverage(period)
            strict |= coverage(period) if STRICTNESS.index(mode) >= level else 0
    return strict | (_ALL & ~said if STRICTNESS.index(tier.youtube) >= level else 0)


def coverage(period: Period) -> int:
    """The minutes of the week at which a period runs, for each kind of day in turn."""
    day = 0
    for span in period.ranges:
        day |= _minutes(span)
    week = 0
    for weekday in period.weekdays:
        week |= day << (weekday * _DAY_BITS)
    found = 0
    for number, kind in enumerate(_KINDS):
        if _on(period.on, kind):
            found |= week << (number * 7 * _DAY_BITS)
    return found


def _on(chosen: frozenset[Calendar], kind: Calendar) -> bool:
    # An exam day is a term day too (schedule.day_kinds).
    return (
        not chosen
        or kind in chosen
        or Calendar.ANY in chosen
        or (kind is Calendar.EXAM and Calendar.TERM in chosen)
    )


def _minutes(span: Range) -> int:
    start = span.start.hour * 60 + span.start.minute
    end = span.end.hour * 60 + span.end.minute
    if end <= start:
        end += 1440
    return ((1 << (end - start)) - 1) << start
