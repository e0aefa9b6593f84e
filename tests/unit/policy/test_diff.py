"""What a change means: told in both languages, and weakenings never missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.policy.diff import diff
from filterd.policy.model import (
    AuthorityEntry,
    Calendar,
    CategoryId,
    Device,
    Effect,
    Exam,
    Expectation,
    LocalRecord,
    Name,
    Override,
    Period,
    Policy,
    Range,
    Segment,
    SegmentId,
    ServiceId,
    Tier,
    TierId,
    YouTube,
)
from filterd.policy.schedule import together
from filterd.policy.strictness import looser
from filterd.policy.taxonomy import Taxonomy

NOON = Range(time(11, 30), time(13))
GAMES = frozenset({CategoryId("games")})
ALLOW = Override(Name("a.example"), True, reason="r", author="a")


def edited(policy: Policy, tier: str, **changes: object) -> Policy:
    tiers = tuple(replace(t, **changes) if t.id == tier else t for t in policy.tiers)
    return replace(policy, tiers=tiers)


def weakens(old: Policy, new: Policy, taxonomy: Taxonomy | None = None) -> bool:
    changes = diff(old, new, taxonomy)
    assert changes, "a difference must be told"
    assert all(change.vi and change.en and "{}" not in change.vi for change in changes)
    return any(change.weakens for change in changes)


def period(
    *ranges: Range, effect: Effect | None = None, on: frozenset[Calendar] = frozenset()
) -> Period:
    return Period("p", frozenset(range(7)), ranges, on, effect or Effect(allow=GAMES))


def test_nothing_changed(shipped: Policy) -> None:
    assert diff(shipped, shipped) == ()


def test_lines_that_moved_are_no_difference(shipped: Policy) -> None:
    old = replace(shipped, overrides=(replace(ALLOW, line=3),))
    assert diff(old, replace(shipped, overrides=(replace(ALLOW, line=9),))) == ()


@pytest.mark.parametrize(
    ("changes", "weak"),
    [
        ({"blocked": frozenset({CategoryId("games")})}, True),
        ({"blocked_services": frozenset({ServiceId("youtube")})}, False),
        ({"allowed_services": frozenset({ServiceId("youtube"), ServiceId("zalo")})}, True),
        ({"allowed_services": frozenset()}, False),
        ({"allow_only": True}, False),
        ({"safe_search": frozenset({"google"})}, True),
        ({"youtube": YouTube.MODERATE}, True),
        ({"youtube": YouTube.OFF}, True),
        ({"block_unsafe_engines": False}, True),
        ({"pupils": False}, True),
        ({"block_ttl": 60}, False),
        ({"schedule": (period(NOON),)}, True),
        ({"schedule": (period(NOON, effect=Effect(block=GAMES)),)}, False),
        ({"expect": ()}, True),
        ({"allowed": (Name("x.example"),)}, False),
    ],
)
def test_changes_of_primary(shipped: Policy, changes: dict[str, object], weak: bool) -> None:
    assert weakens(shipped, edited(shipped, "primary", **changes)) is weak


def test_opening_a_name_in_the_walled_garden_weakens(shipped: Policy) -> None:
    names = (*shipped.tiers[0].allowed, Name("x.example"))
    assert weakens(shipped, edited(shipped, "preschool", allowed=names))
    assert weakens(shipped, edited(shipped, "preschool", allow_only=False))


@pytest.mark.parametrize(
    ("before", "after", "weak"),
    [
        (period(NOON), period(Range(time(11, 30), time(12))), False),
        (period(NOON), period(Range(time(11), time(12))), True),
        (period(NOON), period(Range(time(11, 30), time(12)), Range(time(12), time(13)),
                              effect=Effect(allow=GAMES)), False),
        (period(NOON), period(NOON, on=frozenset({Calendar.TERM})), False),
        (period(NOON, on=frozenset({Calendar.TERM})), period(NOON), True),
        (period(NOON, on=frozenset({Calendar.TERM})), period(NOON, on=frozenset({Calendar.EXAM})),
         False),
        (period(NOON, on=frozenset({Calendar.EXAM})), period(NOON, on=frozenset({Calendar.TERM})),
         True),
        (period(NOON), period(NOON, effect=Effect(allow=GAMES, youtube=YouTube.OFF)), True),
    ],
)  # fmt: skip
def test_a_period_that_moves(shipped: Policy, before: Period, after: Period, weak: bool) -> None:
    old = edited(shipped, "primary", schedule=(before,))
    new = edited(shipped, "primary", schedule=(replace(after, name="q"),))
    assert weakens(old, new) is weak


@pytest.mark.parametrize(
    ("changes", "weak"),
    [
        ({"overrides": (ALLOW,)}, True),
        ({"overrides": (replace(ALLOW, allow=False),)}, False),
        ({"internal_zones": (Name("truong.lan"),)}, True),
        ({"records": (LocalRecord(Name("in.lan"), "A", "10.0.0.9"),)}, False),
        ({"records": (LocalRecord(Name("facebook.com"), "A", "157.240.1.1"),)}, True),
        ({"time_zone": "Europe/Berlin"}, True),
        ({"unknown": TierId("upper_secondary")}, True),
        ({"unknown": TierId("preschool")}, None),
        ({"segments": ()}, False),  # all become unknown: the walled garden
        ({"devices": (Device("aa:bb:cc:dd:ee:ff", TierId("staff")),)}, True),
        ({"portal": ("10.0.0.1",)}, False),
        ({"exams": (Exam(frozenset({SegmentId("thu-thpt")}), datetime(2027, 1, 1, tzinfo=UTC)),)},
         False),
    ],
)  # fmt: skip
def test_changes_of_the_school(
    shipped: Policy, changes: dict[str, object], weak: bool | None
) -> None:
    new = replace(shipped, **changes)  # type: ignore[arg-type]
    if weak is None:
        assert diff(shipped, new) == ()
    else:
        assert weakens(shipped, new) is weak


def test_going_back_weakens_where_going_forward_did_not(shipped: Policy) -> None:
    exam = Exam(frozenset({SegmentId("thu-thpt")}), datetime(2027, 1, 1, tzinfo=UTC))
    block = replace(ALLOW, allow=False)
    for stricter in (replace(shipped, exams=(exam,)), replace(shipped, overrides=(block,))):
        assert not weakens(shipped, stricter)
        assert weakens(stricter, shipped)


@pytest.mark.parametrize(("tier", "weak"), [("staff", True), ("preschool", False)])
def test_a_network_that_moves(shipped: Policy, tier: str, weak: bool) -> None:
    moved = replace(shipped.segments[1], tier=TierId(tier))
    segments = tuple(moved if s.id == moved.id else s for s in shipped.segments)
    assert weakens(shipped, replace(shipped, segments=segments)) is weak


def test_a_new_network_is_compared_with_what_its_addresses_had(
    shipped: Policy, taxonomy: Taxonomy
) -> None:
    def added(text: str, tier: str) -> Policy:
        new = Segment(SegmentId("moi"), ip_network(text), TierId(tier))
        return replace(shipped, segments=(*shipped.segments, new))

    assert weakens(shipped, added("10.9.0.0/16", "primary"))  # unknown before: preschool
    assert not weakens(shipped, added("127.0.14.128/25", "primary"), taxonomy)  # staff before
    assert not weakens(shipped, added("127.0.11.0/26", "primary"))


def test_allowing_a_service_opens_only_what_was_closed(shipped: Policy, taxonomy: Taxonomy) -> None:
    zalo = frozenset({ServiceId("zalo")})
    assert not weakens(shipped, edited(shipped, "staff", allowed_services=zalo), taxonomy)
    more = zalo | {ServiceId("youtube")}
    assert weakens(shipped, edited(shipped, "primary", allowed_services=more), taxonomy)
    assert weakens(shipped, edited(shipped, "preschool", allowed_services=zalo), taxonomy)


def test_an_order_of_an_authority_is_not_the_schools_to_remove(shipped: Policy) -> None:
    order = AuthorityEntry(Name("a.example"), "1/CV", "CA", date(2026, 11, 1))
    ordered = replace(shipped, authority=(order,))
    assert not weakens(shipped, ordered)
    (change,) = diff(ordered, shipped)
    assert change.weakens and change.forbidden


def test_tiers_that_come_and_go_are_told(shipped: Policy) -> None:
    extra = replace(shipped.tiers[1], id=TierId("noi_tru"))
    new = replace(shipped, tiers=(*shipped.tiers, extra))
    assert [change.en for change in diff(shipped, new)] == ["Tier Primary added"]
    assert [change.en for change in diff(new, shipped)] == ["Tier Primary removed"]


def test_an_expectation_that_goes_is_told(shipped: Policy) -> None:
    old = edited(shipped, "staff", expect=(Expectation(Name("a.example"), "blocked"),))
    new = edited(shipped, "staff", expect=())
    assert weakens(old, new)


clock = st.builds(time, st.integers(0, 23), st.sampled_from([0, 30]))
effects = st.builds(
    Effect,
    block=st.sampled_from([frozenset(), GAMES]),
    allow=st.sampled_from([frozenset(), GAMES]),
    allow_only=st.sampled_from([None, True, False]),
    youtube=st.sampled_from([None, *YouTube]),
)
schedules = st.lists(
    st.builds(
        Period,
        name=st.just("p"),
        weekdays=st.frozensets(st.integers(0, 6), min_size=1),
        ranges=st.lists(st.builds(Range, clock, clock), min_size=1, max_size=2).map(tuple),
        on=st.frozensets(st.sampled_from([Calendar.TERM, Calendar.HOLIDAY, Calendar.EXAM])),
        effect=effects,
    ),
    max_size=2,
).map(tuple)


@settings(max_examples=60, deadline=None)
@given(schedules, schedules, st.booleans(), st.sampled_from(YouTube))
def test_looser_is_what_looking_at_every_half_hour_finds(
    shipped: Policy, one: tuple[Period, ...], two: tuple[Period, ...], games: bool, tube: YouTube
) -> None:
    base = replace(
        shipped.tiers[1], blocked=GAMES if games else frozenset(), youtube=tube, expect=()
    )
    old, new = replace(base, schedule=one), replace(base, schedule=two)
    found = any(
        _opener(_settings(old, day, minute, kind), _settings(new, day, minute, kind))
        for day in range(7)
        for minute in range(0, 2880, 30)
        for kind in (Calendar.TERM, Calendar.HOLIDAY, Calendar.EXAM)
    )
    assert looser(old, new, {}) is found


def _settings(tier: Tier, day: int, minute: int, kind: Calendar) -> tuple[bool, bool, int]:
    """(games blocked, walled, YouTube level) so many minutes after the midnight of that day."""
    kinds = {kind, Calendar.TERM} if kind is Calendar.EXAM else {kind}
    effect = together(
        period.effect
        for period in tier.schedule
        if day in period.weekdays
        and (not period.on or period.on & kinds)
        and any(_inside(span, minute) for span in period.ranges)
    )
    blocked = bool((tier.blocked | effect.block) - effect.allow)
    walled = tier.allow_only if effect.allow_only is None else effect.allow_only
    return blocked, walled, list(YouTube).index(effect.youtube or tier.youtube)


def _inside(span: Range, minute: int) -> bool:
    start = span.start.hour * 60 + span.start.minute
    end = span.end.hour * 60 + span.end.minute
    return start <= minute < (end if end > start else end + 1440)


def _opener(old: tuple[bool, bool, int], new: tuple[bool, bool, int]) -> bool:
    return any(before > after for before, after in zip(old, new, strict=True))


def test_a_period_is_told_in_plain_words() -> None:
    from datetime import time

    from filterd.policy.diff_periods import what, when
    from filterd.policy.model import Calendar, CategoryId, Effect, Period, Range, Title

    period = Period(
        "Nghỉ trưa",
        frozenset({0, 1, 2, 3, 4, 6}),
        (Range(time(11, 30), time(13, 0)),),
        frozenset({Calendar.TERM}),
        Effect(allow=frozenset({CategoryId("games")})),
    )
    assert when(period) == ("T2–T6, CN 11:30–13:00", "Mon–Fri, Sun 11:30–13:00")
    titles = {"games": Title("Trò chơi", "Games")}
    assert what(period, titles) == ("mở Trò chơi", "Games open")
