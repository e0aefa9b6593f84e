"""I4, I6: are the lists there, fresh, whole — and what do they catch?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from filterd.evidence.indicators.facts import Facts, Indicator, Verdict, grade, unmeasured
from filterd.evidence.method import Method
from filterd.evidence.records import ListFact, Summary
from filterd.evidence.wilson import wilson


def freshness(facts: Facts, method: Method) -> Indicator:
    """I4: mandatory (category, tier) pairs that are blocked by a loaded, whole, fresh list.

    Locked pairs need all of them on every day; the others the method's share.
    """
    locked = [0, 0]
    others = [0, 0]
    for day in facts.days:
        good = _good_categories(day, method)
        for tier, category in _pairs(day, method):
            fact = day["tiers"][tier]
            blocked = fact["allow_only"] or category in fact["blocked"]
            is_locked = category in method.locked(fact["pupils"])
            count = locked if is_locked else others
            count[0] += category in good and (is_locked or blocked)
            count[1] += 1
    result = grade(method, "I4", locked[0], locked[1])
    parts = {"locked_ok": locked[0], "locked": locked[1], "others_ok": others[0]}
    parts["others"] = others[1]
    if others[0] * 10_000 < method.others_min["I4"] * others[1] and result.measurable:
        result = replace(result, verdict=Verdict.FAIL, reason="others_stale")
    return replace(result, n=locked[1] + others[1], parts=parts)


def _pairs(day: Summary, method: Method) -> Iterator[tuple[str, str]]:
    for tier, fact in sorted(day["tiers"].items()):
        for category in sorted(method.required(tier, fact["pupils"])):
            yield tier, category


def _good_categories(day: Summary, method: Method) -> frozenset[str]:
    """Categories whose lists together are large enough, each counted list whole and fresh."""
    entries: dict[str, int] = {}
    for fact in day["lists"]:
        if _counts(fact, method):
            entries[fact["category"]] = entries.get(fact["category"], 0) + fact["entries"]
    return frozenset(
        category for category, n in entries.items() if n >= method.lists[category].min_entries
    )


def _counts(fact: ListFact, method: Method) -> bool:
    rule = method.lists.get(fact["category"])
    if rule is None or not (fact["loaded"] and fact["intact"]):
        return False
    if fact["kind"] == "shipped" and rule.shipped:
        return True
    fresh = fact["checked_h"] <= rule.max_age_h
    # A feed that is fetched daily but has not changed for ten times its age limit is dead.
    return fresh and fact["changed_h"] <= 10 * rule.max_age_h


def efficacy(facts: Facts, method: Method) -> Indicator:
    """I6: Wilson bounds of recall per category and of false blocks, for the list version in use.

    Measured once per version in a laboratory and inherited by digest; value is the smallest margin
    of the lower bounds over their thresholds, so 10000 and more passes.
    """
    index = facts.days[-1]["policy"]["index"] if facts.days else ""
    lab = facts.efficacy
    if lab is None or not index or lab["index"] != index:
        return unmeasured(method, "I6", "no_laboratory_result")
    sample = method.efficacy_sample
    parts: dict[str, int] = {}
    worst = 10_000
    enough = lab["false_block"][1] >= sample["must_allow"]
    for category, needed in sorted(method.efficacy.items()):
        hits, n = lab["recall"].get(category, [0, 0])
        vietnamese = lab["vietnamese"].get(category, [0, 0])[1]
        enough = enough and n >= sample["per_category"] and vietnamese >= sample["vietnamese"]
        bound = int(wilson(hits, n)[0] * 10_000)
        parts[f"{category}_lower_bp"] = bound
        worst = min(worst, bound * 10_000 // needed)
    errors, n = lab["false_block"]
    upper = -int(-wilson(errors, n)[1] * 10_000 // 1)
    parts["false_block_upper_bp"] = upper
    if not enough:
        return replace(unmeasured(method, "I6", "sample_too_small"), parts=parts)
    result = replace(grade(method, "I6", worst, 10_000, parts), n=n)
    if upper > method.false_block_max:
        return replace(result, verdict=Verdict.FAIL, reason="false_blocks")
    return result
