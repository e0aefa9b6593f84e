"""I5, I5b, I7, I7i, I8, I12: what was asked of the filter on the clients' own path."""

from __future__ import annotations

from dataclasses import replace

from filterd.evidence.indicators.facts import Facts, Indicator, Verdict, grade, unmeasured
from filterd.evidence.method import Method
from filterd.evidence.records import Pair


def selftest(facts: Facts, method: Method) -> Indicator:
    """I5: locked canaries all, other canaries and must-allow at their share, and enough executed.

    A locked failure outweighs everything; missing executions make the rest unproven.
    """
    counts: dict[str, Pair] = {"locked": [0, 0], "others": [0, 0], "allow": [0, 0]}
    for day in facts.days:
        for tier, cells in day["selftest"]["block"].items():
            locked = method.locked(day["tiers"].get(tier, {"pupils": True})["pupils"])
            for category, pair in cells.items():
                _add(counts["locked" if category in locked else "others"], pair)
        for pair in day["selftest"]["allow"].values():
            _add(counts["allow"], pair)
    scheduled = sum(day["selftest"]["scheduled"] for day in facts.days)
    executed = sum(day["selftest"]["executed"] for day in facts.days)
    parts = {f"{key}_passed": pair[0] for key, pair in counts.items()}
    parts |= {key: pair[1] for key, pair in counts.items()}
    parts |= {"scheduled": scheduled, "executed": executed}
    result = replace(
        grade(method, "I5", counts["locked"][0], counts["locked"][1], parts), n=executed
    )
    if result.verdict is Verdict.FAIL:
        return replace(result, reason="locked_failed")
    if not counts["locked"][1] or executed * 10_000 < method.executed_min * scheduled:
        return replace(unmeasured(method, "I5", "not_executed", executed), parts=parts)
    for key, least in (("others", "I5"), ("allow", "must_allow")):
        if counts[key][0] * 10_000 < method.others_min[least] * counts[key][1]:
            return replace(result, verdict=Verdict.FAIL, reason=f"{key}_failed")
    return result


def independent(facts: Facts, method: Method) -> Indicator:
    """I5b: counted by the office at its own name server; the school cannot know it."""
    if facts.proof is None or facts.proof.rounds == 0:
        return unmeasured(method, "I5b", "measured_by_the_office")
    return grade(method, "I5b", facts.proof.passed, facts.proof.rounds)


def bypass(facts: Facts, method: Method) -> Indicator:
    """I7: tests of the circumvention suite that passed whenever they ran, of those that apply.

    A test that neither ran nor says why it does not apply counts as failed.
    """
    tests: dict[str, Pair] = {}
    excused: set[str] = set()
    for day in facts.days:
        for name, fact in day["bypass"].items():
            _add(tests.setdefault(name, [0, 0]), [fact["passed"], fact["executed"]])
            if "not_applicable" in fact:
                excused.add(name)
    applicable = {name: pair for name, pair in tests.items() if pair[1] or name not in excused}
    passed = sum(pair[1] > 0 and pair[0] == pair[1] for pair in applicable.values())
    parts = {"tests": len(applicable), "not_applicable": len(tests) - len(applicable)}
    return grade(method, "I7", passed, len(applicable), parts)


def bypass_attempts(facts: Facts, method: Method) -> Indicator:
    """I7i: shown only; scoring it would reward watching pupils."""
    known = [n for day in facts.days if (n := day["bypass_blocked"]) is not None]
    return Indicator("I7i", None, sum(known), 0, Verdict.SHOWN)


def safe_search(facts: Facts, method: Method) -> Indicator:
    """I8: engine × tier rewrites that came out right, all of them."""
    total = [0, 0]
    for day in facts.days:
        for engines in day["safesearch"].values():
            for pair in engines.values():
                _add(total, pair)
    return grade(method, "I8", total[0], total[1])


def over_blocking(facts: Facts, method: Method) -> Indicator:
    """I12: must-allow names that were allowed; upheld unblock requests are shown beside it."""
    total = [0, 0]
    for day in facts.days:
        for pair in day["selftest"]["allow"].values():
            _add(total, pair)
    parts = {
        "unblock_decided": sum(day["tickets"]["unblock_decided"] for day in facts.days),
        "unblock_upheld": sum(day["tickets"]["unblock_upheld"] for day in facts.days),
    }
    return grade(method, "I12", total[0], total[1], parts)


def _add(total: Pair, pair: Pair) -> None:
    total[0] += pair[0]
    total[1] += pair[1]
