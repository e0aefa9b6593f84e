"""From results to the counts of the summary, and from several runs to those of a day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

from filterd.evidence.records import BypassFact, Failure, Pair, SelftestFact
from filterd.evidence.selftest.checks import UNKNOWN, Kind
from filterd.evidence.selftest.paths import NONE, Lane
from filterd.evidence.selftest.run import Result

MAX_FAILURES = 50


class Counts(TypedDict):
    """Counts of one run or of one day; pairs are [passed, executed]."""

    scheduled: int
    executed: int
    block: dict[str, dict[str, Pair]]
    allow: dict[str, Pair]
    safesearch: dict[str, dict[str, Pair]]
    bypass: dict[str, Pair]
    via: dict[str, str]
    failed: list[Failure]


def count(results: Iterable[Result], lanes: Mapping[str, Lane]) -> Counts:
    """The counts of one run. What could not be asked or seen is scheduled but not executed.

    A question that only the missing Internet kept from being seen (safe search needs the real
    address) is not counted as scheduled: the school's line is not the filter's fault.
    """
    total = empty()
    tiers = set()
    for result in results:
        tiers.add(result.check.tier)
        if result.passed is None:
            total["scheduled"] += not result.attempts
            continue
        total["scheduled"] += 1
        total["executed"] += 1
        _add(_pair(total, result), result.passed)
        if not result.passed and len(total["failed"]) < MAX_FAILURES:
            total["failed"].append(_failure(result))
    total["via"] = {tier: lanes[tier].via if tier in lanes else NONE for tier in sorted(tiers)}
    return total


def empty() -> Counts:
    return {
        "scheduled": 0, "executed": 0, "block": {}, "allow": {}, "safesearch": {}, "bypass": {},
        "via": {}, "failed": [],
    }  # fmt: skip


def merge(runs: Iterable[Counts]) -> Counts:
    """The counts of a day."""
    total = empty()
    for run in runs:
        total["scheduled"] += run["scheduled"]
        total["executed"] += run["executed"]
        for ours, theirs in ((total["block"], run["block"]),
                             (total["safesearch"], run["safesearch"])):  # fmt: skip
            for tier, cells in theirs.items():
                _merge_pairs(ours.setdefault(tier, {}), cells)
        _merge_pairs(total["allow"], run["allow"])
        _merge_pairs(total["bypass"], run["bypass"])
        total["via"].update(run["via"])
        total["failed"] = (total["failed"] + list(run["failed"]))[:MAX_FAILURES]
    return total


def selftest_fact(day: Counts) -> SelftestFact:
    """The `selftest` of the summary."""
    return {
        "scheduled": day["scheduled"],
        "executed": day["executed"],
        "block": day["block"],
        "allow": day["allow"],
        "via": day["via"],
        "failed": day["failed"],
    }


def bypass_facts(day: Counts, firewall: Mapping[str, BypassFact]) -> dict[str, BypassFact]:
    """The `bypass` of the summary: what names can show, and what the gateway's firewall showed."""
    names: dict[str, BypassFact] = {
        test: {"passed": pair[0], "executed": pair[1]} for test, pair in day["bypass"].items()
    }
    return {**names, **firewall}


def _pair(total: Counts, result: Result) -> Pair:
    check = result.check
    tables: dict[Kind, dict[str, dict[str, Pair]]] = {
        Kind.BLOCK: total["block"],
        Kind.SAFE_SEARCH: total["safesearch"],
    }
    if check.kind in tables:
        return tables[check.kind].setdefault(check.tier, {}).setdefault(check.subject, [0, 0])
    if check.kind is Kind.ALLOW:
        return total["allow"].setdefault(check.tier, [0, 0])
    return total["bypass"].setdefault(check.subject, [0, 0])


def _add(pair: Pair, passed: bool) -> None:
    pair[0] += passed
    pair[1] += 1


def _merge_pairs(ours: dict[str, Pair], theirs: Mapping[str, Pair]) -> None:
    for key, pair in theirs.items():
        mine = ours.setdefault(key, [0, 0])
        mine[0] += pair[0]
        mine[1] += pair[1]


def _failure(result: Result) -> Failure:
    check = result.check
    return {
        "kind": check.kind.value,
        "tier": check.tier,
        "subject": check.subject,
        "transport": result.transport,
        "type": check.qtype,
        "got": result.got[:40],
    }


__all__ = ["UNKNOWN", "Counts", "bypass_facts", "count", "empty", "merge", "selftest_fact"]
