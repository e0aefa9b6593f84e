"""A made-up school and its month of summaries, for the tests of everything that reads them."""

from __future__ import annotations

import copy
import functools
from datetime import date, timedelta

from filterd.evidence.canonical import digest
from filterd.evidence.method import load
from filterd.evidence.records import Summary
from filterd.evidence.summary import FIRST, encode

METHOD = load("v0")
TIERS = {
    "preschool": True,
    "primary": True,
    "lower_secondary": True,
    "upper_secondary": True,
    "staff": False,
}
HASH = "ab" * 32


def perfect_day(day: date = date(2026, 11, 2), counter: int = 1, previous: str = FIRST) -> Summary:
    """A day on which everything that can be measured was measured and was right."""
    blocked = {tier: sorted(METHOD.required(tier, pupils)) for tier, pupils in TIERS.items()}
    categories = sorted({category for ids in blocked.values() for category in ids})
    return {
        "format": "filterd.summary/1",
        "school": "VN-79-000123",
        "device": "0" * 32,
        "counter": counter,
        "previous": previous,
        "day": day.isoformat(),
        "made_at": f"{day + timedelta(days=1)}T00:05:00+07:00",
        "closed": True,
        "method": "v0",
        "software": "0.1.0",
        "restart": "0" * 16,
        "clock": {"trusted": True, "jumps": 0},
        "facility": {"type": "school", "levels": ["primary"], "deployment": "inline"},
        "policy": {"revision": 7, "hash": HASH, "index": HASH, "bundle": None},
        "tiers": {
            tier: {"pupils": pupils, "hash": HASH, "blocked": blocked[tier], "allow_only": False}
            for tier, pupils in TIERS.items()
        },
        "time": {
            "service_s": 36_000,
            "enforcing_s": 36_000,
            "exposed_s": 0,
            "offline_s": 0,
            "paused_s": 0,
            "all_enforcing_s": 86_400,
            "all_exposed_s": 0,
            "all_offline_s": 0,
        },
        "selftest": {
            "scheduled": 1000,
            "executed": 1000,
            "block": {tier: {c: [12, 12] for c in ids} for tier, ids in blocked.items()},
            "allow": {tier: [50, 50] for tier in TIERS},
            "via": dict.fromkeys(TIERS, "segment_address"),
            "failed": [],
        },
        "safesearch": {"primary": {"google": [2, 2], "youtube": [2, 2]}},
        "bypass": {
            "firefox_canary": {"passed": 4, "executed": 4},
            "dot_dropped": {"passed": 1, "executed": 1},
        },
        "bypass_blocked": 120,
        "lists": [
            {
                "id": f"list-{category}",
                "category": category,
                "kind": "fetched",
                "version": HASH,
                "licence": "CC BY-SA 4.0",
                "entries": 50_000,
                "checked_h": 5,
                "changed_h": 12,
                "loaded": True,
                "intact": True,
            }
            for category in categories
        ],
        "segments": {"seen": 5, "bound": 5},
        "path": {"used_bp": 9900, "active": 120},
        "flows": {"unresolved_bp": 200, "flows": 90_000},
        "tickets": {
            "decided": 2,
            "within": 2,
            "overdue": 0,
            "unblock_decided": 1,
            "unblock_upheld": 1,
            "buckets": [1, 0, 1, 0, 0, 0, 0, 0, 0],
        },
        "changes": {
            "total": 1,
            "complete": 1,
            "weakening": 0,
            "weakening_alone": 0,
            "expired_overrides": 0,
            "exceptions": 0,
            "chain_ok": True,
            "head": HASH,
        },
        "governance": {
            "roles": ["head", "it", "focal_point", "deputy"],
            "last_review": "2026-09-10",
            "review_due_since": None,
            "checks": [{"semester": "2026-2027/1", "tier": tier} for tier in TIERS],
            "notice_version": "1.0",
            "notice_current": True,
            "actions": [],
        },
        "privacy": {
            "oldest_record_s": 600_000,
            "limit_s": 604_800,
            "retention_ok": True,
            "exports": 0,
            "exports_logged": 0,
            "dpia": "done",
            "notice": True,
        },
        "volume": {"queries": 120_340},
        "cells": None,
    }


def perfect_month(first: date = date(2026, 11, 1), days: int = 30) -> list[Summary]:
    """Chained summaries of consecutive days, nothing wrong in any."""
    return copy.deepcopy(_month(first, days))


@functools.cache
def _month(first: date, days: int) -> list[Summary]:
    month: list[Summary] = []
    previous = FIRST
    for offset in range(days):
        each = perfect_day(first + timedelta(days=offset), offset + 1, previous)
        month.append(each)
        previous = digest(encode(each))
    return month
