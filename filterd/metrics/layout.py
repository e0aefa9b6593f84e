"""Where every counter stands in `run/counters`: fixed positions of 64-bit integers.

One run of `RUN_BYTES` per worker, all alike. Labels are bounded here and nowhere else: a tier or
category that finds no place is counted in the last one ("other"). Knows no file and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

TIERS: Final = 16
CATEGORIES: Final = 32
UPSTREAMS: Final = 16
OTHER_TIER: Final = TIERS - 1
OTHER_CATEGORY: Final = CATEGORIES - 1

STANDARD_TIERS: Final = ("preschool", "primary", "lower_secondary", "upper_secondary", "staff")
STANDARD_CATEGORIES: Final = (
    "csam", "authority", "extremism", "malware", "phishing", "bypass", "porn", "gambling",
    "self_harm", "violence", "drugs", "hate", "dating", "piracy", "games", "social", "video",
    "chat", "genai", "shopping", "ads",
)  # fmt: skip

TRANSPORTS: Final = ("udp", "tcp", "dot", "doh")
UDP: Final = 0
TCP: Final = 1
DOT: Final = 2
DOH: Final = 3

OUTCOMES: Final = (
    "cached", "forwarded", "stale", "blocked", "rewritten", "local", "refused", "failed",
)  # fmt: skip
CACHED: Final = 0
FORWARDED: Final = 1
STALE: Final = 2
BLOCKED: Final = 3
REWRITTEN: Final = 4
LOCAL: Final = 5
REFUSED: Final = 6
FAILED: Final = 7

BUCKETS: Final = (
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.0, 5.0,
)  # fmt: skip
"""Upper bounds in seconds of the duration histogram; one more bucket holds the rest."""

SINGLES: Final = (
    "cache_hits", "cache_misses", "cache_stale", "cache_evictions", "cache_prefetches",
    "cache_bytes", "cache_entries", "memo_entries", "memo_bytes", "inflight_joined",
    "dropped_malformed", "dropped_not_allowed", "dropped_rate", "dropped_late", "dropped_send",
    "truncated", "tcp_open", "tcp_opened", "tcp_refused", "errors", "lag_microseconds",
    "policy_revision", "duration_microseconds", "dropped_busy",
)  # fmt: skip
"""Counters and gauges without labels, in the order of their places."""

QUERIES_AT: Final = 0
"""tier × outcome × transport."""
BLOCKED_AT: Final = QUERIES_AT + TIERS * len(OUTCOMES) * len(TRANSPORTS)
"""tier × category."""
DURATION_AT: Final = BLOCKED_AT + TIERS * CATEGORIES
RCODES_AT: Final = DURATION_AT + len(BUCKETS) + 1
UPSTREAM_AT: Final = RCODES_AT + 32
UPSTREAM_FIELDS: Final = ("queries", "failures", "rtt_microseconds", "up")
SINGLES_AT: Final = UPSTREAM_AT + UPSTREAMS * len(UPSTREAM_FIELDS)
PLACES: Final = SINGLES_AT + len(SINGLES)
RUN_BYTES: Final = (PLACES * 8 + 4095) // 4096 * 4096


def query_place(tier: int, outcome: int, transport: int) -> int:
    """Place of filterd_queries_total{tier,outcome,transport}."""
    return QUERIES_AT + (tier * len(OUTCOMES) + outcome) * len(TRANSPORTS) + transport


def blocked_place(tier: int, category: int) -> int:
    """Place of filterd_blocked_total{tier,category}."""
    return BLOCKED_AT + tier * CATEGORIES + category


def upstream_place(upstream: int, field: int) -> int:
    """Place of a value of one upstream, in the order of the settings."""
    return UPSTREAM_AT + min(upstream, UPSTREAMS - 1) * len(UPSTREAM_FIELDS) + field


def single_place(name: str) -> int:
    """Place of a counter without labels; ValueError for one that does not exist."""
    return SINGLES_AT + SINGLES.index(name)


def tier_index(tier: str, tiers: tuple[str, ...] = STANDARD_TIERS) -> int:
    """Place of a tier among `tiers`, which only ever grows while a counter file lives."""
    return tiers.index(tier) if tier in tiers[:OTHER_TIER] else OTHER_TIER


_CATEGORY_PLACES: Final = {name: at for at, name in enumerate(STANDARD_CATEGORIES)}


def category_index(category: str | None) -> int:
    """Place of a category."""
    return _CATEGORY_PLACES.get(category or "", OTHER_CATEGORY)


def tier_order(tiers: Iterable[str]) -> tuple[str, ...]:
    """Places of a policy's tiers: the standard ones always have the same."""
    return STANDARD_TIERS + tuple(tier for tier in tiers if tier not in STANDARD_TIERS)
