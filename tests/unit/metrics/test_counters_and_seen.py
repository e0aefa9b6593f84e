"""Counters that several processes share, and aggregates that never tell who asked."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from filterd.metrics import counters, layout
from filterd.metrics.seen import NAMES, REFUSALS, Seen


def test_runs_are_apart_and_add_up(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    counters.create(path, 3)
    place = layout.query_place(1, layout.BLOCKED, layout.UDP)
    for slot in range(3):
        counters.Counters.open(path, slot).add(place, slot + 1)
    counters.create(path, 3)  # a restart of the supervisor keeps the counts
    assert counters.total(path)[place] == 6
    counters.create(path, 2)
    assert sum(counters.total(path)) == 0


def test_no_two_counters_share_a_place() -> None:
    places = [
        layout.query_place(tier, outcome, transport)
        for tier in range(layout.TIERS)
        for outcome in range(len(layout.OUTCOMES))
        for transport in range(len(layout.TRANSPORTS))
    ]
    places += [
        layout.blocked_place(tier, category)
        for tier in range(layout.TIERS)
        for category in range(layout.CATEGORIES)
    ]
    places += range(layout.DURATION_AT, layout.DURATION_AT + len(layout.BUCKETS) + 1)
    places += range(layout.RCODES_AT, layout.RCODES_AT + 32)
    places += [
        layout.upstream_place(upstream, field)
        for upstream in range(layout.UPSTREAMS)
        for field in range(len(layout.UPSTREAM_FIELDS))
    ]
    places += [layout.single_place(name) for name in layout.SINGLES]
    assert sorted(places) == list(range(layout.PLACES))
    assert layout.PLACES * 8 <= layout.RUN_BYTES


@given(st.floats(0, 100, allow_nan=False))
def test_every_duration_falls_into_its_bucket(seconds: float) -> None:
    run = counters.Counters.private()
    run.observe(seconds)
    (found,) = [
        number
        for number in range(len(layout.BUCKETS) + 1)
        if run.values[layout.DURATION_AT + number]
    ]
    bounds = (*layout.BUCKETS, float("inf"))
    assert seconds <= bounds[found]
    assert found == 0 or seconds > bounds[found - 1]


def test_unknown_tiers_and_categories_are_counted_together() -> None:
    assert layout.category_index("no such") == layout.OTHER_CATEGORY
    many = layout.tier_order(f"tier{number}" for number in range(40))
    assert layout.tier_index("staff", many) == 4
    assert layout.tier_index("tier39", many) == layout.OTHER_TIER


def test_what_was_seen_names_no_client_and_changes_its_marks_every_day() -> None:
    address = bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 5])
    seen = Seen(b"monday")
    for _ in range(3):
        seen.blocked("primary", 3, address, 1)
        seen.name(b"\3www\7example\0", 1, 1 << seen.tag(address))
    first = seen.take(b"tuesday")
    seen.blocked("primary", 3, address, 1)
    second = seen.take(b"wednesday")
    assert first.names == (("www.example", 3, first.names[0][2]),)
    assert first.names[0][2].bit_count() == 1
    ((tier, category, mark, uses),) = first.refusals
    assert (tier, category, uses) == ("primary", "malware", 3)
    assert mark != second.refusals[0][2]
    assert "0a000005" not in mark
    assert seen.take(b"").names == ()


def test_a_flood_of_names_keeps_the_popular_ones_and_its_bound() -> None:
    seen = Seen(b"key")
    for number in range(5 * NAMES):
        seen.name(b"\x08" + f"{number:08}".encode() + b"\0", 1, 1)
        if number % 10 == 0:
            seen.name(b"\7popular\0", 1, 2)
    report = seen.take(b"")
    assert len(report.names) <= NAMES
    assert {name: uses for name, uses, _ in report.names}["popular"] == NAMES // 2
    assert report.forgotten > 0


def test_a_flood_of_clients_keeps_the_sums_right() -> None:
    seen = Seen(b"key")
    for number in range(REFUSALS + 500):
        seen.blocked("primary", 8, number.to_bytes(16, "big"), 2)
    report = seen.take(b"")
    assert sum(uses for *_, uses in report.refusals) == 2 * (REFUSALS + 500)
    assert len(report.refusals) <= REFUSALS + 1
