"""I9, I10, I11, I13, I14: do the people around the filter do their part?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from filterd.evidence.indicators.facts import Facts, Indicator, Verdict, grade, unmeasured
from filterd.evidence.method import Method
from filterd.evidence.records import GovernanceFact

BUCKET_HOURS = (1, 2, 4, 8, 16, 24, 48, 120)
"""Upper edges of `tickets.buckets`; the ninth bucket has none."""


def tickets(facts: Facts, method: Method) -> Indicator:
    """I9: decisions in time among those decided or overdue; median and p90 as bucket edges."""
    decided = sum(day["tickets"]["decided"] for day in facts.days)
    within = sum(day["tickets"]["within"] for day in facts.days)
    overdue = facts.days[-1]["tickets"]["overdue"] if facts.days else 0
    if not decided + overdue:
        return unmeasured(method, "I9", "no_tickets")
    rows = [day["tickets"]["buckets"] for day in facts.days]
    buckets = [sum(column) for column in zip(*rows, strict=True)]
    parts = {
        "decided": decided,
        "overdue": overdue,
        "median_h": _quantile(buckets, 50),
        "p90_h": _quantile(buckets, 90),
    }
    return grade(method, "I9", within, decided + overdue, parts)


def _quantile(buckets: list[int], percent: int) -> int:
    """Upper edge in hours of the bucket in which the quantile lies; 999 beyond the last edge."""
    needed = -(-sum(buckets) * percent // 100)
    seen = 0
    for edge, n in zip((*BUCKET_HOURS, 999), buckets, strict=True):
        seen += n
        if n and seen >= needed:
            return edge
    return 0


def changes(facts: Facts, method: Method) -> Indicator:
    """I10: a verified chain of complete entries; nobody weakens alone; no override outlives."""
    if not facts.days:
        return unmeasured(method, "I10", "no_summary")
    facts_of = [day["changes"] for day in facts.days]
    total = sum(each["total"] for each in facts_of)
    complete = sum(each["complete"] for each in facts_of)
    alone = sum(each["weakening_alone"] for each in facts_of)
    expired = max(each["expired_overrides"] for each in facts_of)
    parts = {
        "changes": total,
        "weakening": sum(each["weakening"] for each in facts_of),
        "weakening_alone": alone,
        "expired_overrides": expired,
        "exceptions": max(each["exceptions"] for each in facts_of),
    }
    # A month without a change is a month in which every change was complete.
    result = replace(grade(method, "I10", complete + 1, total + 1, parts), n=total)
    for bad, reason in (
        (not all(each["chain_ok"] for each in facts_of), "chain_broken"),
        (alone > 0, "weakened_alone"),
        (expired > 0, "override_outlived"),
    ):
        if bad:
            return replace(result, verdict=Verdict.FAIL, reason=reason)
    return result


def governance(facts: Facts, method: Method) -> Indicator:
    """I11: roles named, review in time and after every trigger, checks logged, notice current."""
    if not facts.days:
        return unmeasured(method, "I11", "no_summary")
    day = facts.days[-1]
    fact = day["governance"]
    checked = {check["tier"] for check in fact["checks"]}
    answers = {
        "roles": set(method.roles) <= set(fact["roles"]),
        "review": _reviewed(fact, date.fromisoformat(day["day"]), method.review_max_days),
        "checks": set(day["tiers"]) <= checked,
        "notice": fact["notice_version"] is not None and fact["notice_current"],
    }
    missing = [key for key, yes in answers.items() if not yes]
    parts = {key: int(yes) for key, yes in answers.items()}
    result = grade(method, "I11", len(answers) - len(missing), len(answers), parts)
    return replace(result, reason=f"missing_{missing[0]}" if missing else "")


def _reviewed(fact: GovernanceFact, today: date, max_days: int) -> bool:
    if fact["last_review"] is None:
        return False
    last = date.fromisoformat(fact["last_review"])
    trigger = fact["review_due_since"]
    return (today - last).days <= max_days and (
        trigger is None or date.fromisoformat(trigger) <= last
    )


def privacy(facts: Facts, method: Method) -> Indicator:
    """I13: nothing kept beyond its limit, retention ran, exports logged, papers in order."""
    if not facts.days:
        return unmeasured(method, "I13", "no_summary")
    answers = {"retention": True, "age": True, "exports": True, "papers": True}
    for day in facts.days:
        fact = day["privacy"]
        answers["retention"] &= fact["retention_ok"]
        answers["age"] &= fact["oldest_record_s"] <= fact["limit_s"]
        answers["exports"] &= fact["exports"] == fact["exports_logged"]
    last = facts.days[-1]["privacy"]
    answers["papers"] = last["notice"] and last["dpia"] == "done"
    parts = {key: int(yes) for key, yes in answers.items()}
    parts["oldest_s"] = max(day["privacy"]["oldest_record_s"] for day in facts.days)
    result = grade(method, "I13", sum(answers.values()), len(answers), parts)
    missing = [key for key, yes in answers.items() if not yes]
    return replace(result, reason=f"missing_{missing[0]}" if missing else "")


def completeness(facts: Facts, method: Method) -> Indicator:
    """I14: days with a closed, signed summary among the days due."""
    if not facts.due_days:
        return unmeasured(method, "I14", "nothing_due")
    return grade(method, "I14", sum(day["closed"] for day in facts.days), facts.due_days)
