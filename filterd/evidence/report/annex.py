"""The annex in the form of QĐ 4725/QĐ-BGDĐT: criterion, points, self-score, evidence, check.

Points are shown beside the status and never change it: gates decide (requirements §4). The table of
points is data of the method's author, marked proposed. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from filterd.evidence.canonical import Json
from filterd.evidence.decision import Decision
from filterd.evidence.indicators import Indicator, Verdict
from filterd.evidence.method import Method

CRITERIA: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("enforced", 25, ("I1", "I2", "I2b", "I3")),
    ("content", 25, ("I4", "I5", "I5b", "I6", "I8")),
    ("bypass", 15, ("I7",)),
    ("people", 20, ("I9", "I10", "I11", "I12")),
    ("data", 15, ("I13", "I14")),
)
LEVELS = ((50, "low"), (75, "middle"))
"""QĐ 4725: below 50, 50 to 75, above 75 points."""


def annex(
    indicators: Mapping[str, Indicator], decision: Decision, method: Method
) -> dict[str, Json]:
    """Rows with points, the sum and its level; half the points for amber, none for unmeasured."""
    rows: list[Json] = []
    total = 0
    for criterion, points, ids in CRITERIA:
        scored = [indicators[id_] for id_ in ids if id_ in method.thresholds]
        share = sum(_share(each) for each in scored)
        got = points * share // (2 * len(scored)) if scored else 0
        total += got
        rows.append(
            {"criterion": criterion, "points": points, "self_score": got, "evidence": list(ids)}
        )
    level = next((name for limit, name in LEVELS if total < limit + (name == "middle")), "high")
    return {"rows": rows, "total": total, "level": level, "status": decision.status.value}


def _share(each: Indicator) -> int:
    """Half points: 2 pass, 1 amber, 0 otherwise."""
    return {Verdict.PASS: 2, Verdict.WARN: 1}.get(each.verdict, 0)
