"""Readings of the shared counters: traffic, and therefore for the school alone.

Sensitive categories have no series of their own: a counter that moves by one identifies a child.
They are counted among `other`, together with overrides, services and allow-only refusals, so that
no subtraction brings them out either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from filterd.metrics import layout
from filterd.metrics.reading import Kind, Reading, Sample, counter, gauge

OTHER = "other"
_GAUGES = frozenset({"cache_bytes", "cache_entries", "memo_entries", "tcp_open"})
_NOT_TRAFFIC = frozenset({"lag_microseconds", "policy_revision", "duration_microseconds"})
_RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")


def traffic(
    places: Sequence[int],
    tiers: Sequence[str],
    upstreams: Sequence[str],
    sensitive: frozenset[str],
) -> Iterator[Reading]:
    """Every traffic family of the summed counters (`counters.total`)."""
    yield _queries(places, tiers)
    yield _blocked(places, tiers, sensitive)
    yield _durations(places)
    yield _rcodes(places)
    yield from _upstreams(places, upstreams)
    for name in layout.SINGLES:
        if name in _NOT_TRAFFIC:
            continue
        value = places[layout.single_place(name)]
        make = gauge if name in _GAUGES else counter
        yield make(name, name.replace("_", " "), value)


def _tiers(tiers: Sequence[str]) -> Iterator[tuple[int, str]]:
    yield from enumerate(tiers[: layout.OTHER_TIER])
    yield layout.OTHER_TIER, OTHER


def _queries(places: Sequence[int], tiers: Sequence[str]) -> Reading:
    samples = tuple(
        Sample({"tier": tier, "outcome": outcome, "transport": transport}, value)
        for number, tier in _tiers(tiers)
        for o, outcome in enumerate(layout.OUTCOMES)
        for t, transport in enumerate(layout.TRANSPORTS)
        if (value := places[layout.query_place(number, o, t)])
    )
    return Reading("queries", "Questions by outcome", Kind.COUNTER, samples)


def _blocked(places: Sequence[int], tiers: Sequence[str], sensitive: frozenset[str]) -> Reading:
    samples = []
    for number, tier in _tiers(tiers):
        other = places[layout.blocked_place(number, layout.OTHER_CATEGORY)]
        for c, category in enumerate(layout.STANDARD_CATEGORIES):
            value = places[layout.blocked_place(number, c)]
            if category in sensitive:
                other += value
            elif value:
                samples.append(Sample({"tier": tier, "category": category}, value))
        if other:
            samples.append(Sample({"tier": tier, "category": OTHER}, other))
    return Reading("blocked", "Refusals by category", Kind.COUNTER, tuple(samples))


def _durations(places: Sequence[int]) -> Reading:
    bounds = (*layout.BUCKETS, float("inf"))
    buckets, total = [], 0
    for number, bound in enumerate(bounds):
        total += places[layout.DURATION_AT + number]
        buckets.append((bound, total))
    seconds = places[layout.single_place("duration_microseconds")] / 1e6
    text = "Time from question to answer"
    return Reading("query_duration_seconds", text, Kind.HISTOGRAM,
                   (Sample({}, seconds, tuple(buckets)),))  # fmt: skip


def _rcodes(places: Sequence[int]) -> Reading:
    samples = tuple(
        Sample({"rcode": name}, places[layout.RCODES_AT + number])
        for number, name in enumerate(_RCODES)
    )
    return Reading("responses", "Answers by response code", Kind.COUNTER, samples)


def _upstreams(places: Sequence[int], upstreams: Sequence[str]) -> Iterator[Reading]:
    names = list(enumerate(upstreams[: layout.UPSTREAMS]))

    def samples(field: int, scale: float = 1.0) -> tuple[Sample, ...]:
        return tuple(
            Sample({"upstream": name}, places[layout.upstream_place(number, field)] * scale)
            for number, name in names
        )

    yield Reading("upstream_queries", "Questions sent upstream", Kind.COUNTER, samples(0))
    yield Reading("upstream_failures", "Failed exchanges", Kind.COUNTER, samples(1))
