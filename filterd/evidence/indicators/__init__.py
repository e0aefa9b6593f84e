"""I1 to I14: each a pure function of recorded facts and the method's numbers.

Knows no clock, no network and no database: the same signed summaries give the same values at the
school, at the office and in an auditor's hands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from filterd.evidence.indicators import lists, path, people, probes
from filterd.evidence.indicators.facts import Efficacy, Facts, Indicator, Period, Proof, Verdict
from filterd.evidence.method import Method

__all__ = [
    "Efficacy",
    "Facts",
    "Indicator",
    "Period",
    "Proof",
    "Verdict",
    "compute",
]

Measure = Callable[[Facts, Method], Indicator]


def compute(facts: Facts, method: Method) -> Mapping[str, Indicator]:
    """Every indicator of the method in its order."""
    measures: dict[str, Measure] = {
        "I1": path.exposure,
        "I2": path.coverage,
        "I2b": path.unresolved,
        "I3": path.binding,
        "I4": lists.freshness,
        "I5": probes.selftest,
        "I5b": probes.independent,
        "I6": lists.efficacy,
        "I7": probes.bypass,
        "I7i": probes.bypass_attempts,
        "I8": probes.safe_search,
        "I9": people.tickets,
        "I10": people.changes,
        "I11": people.governance,
        "I12": probes.over_blocking,
        "I13": people.privacy,
        "I14": people.completeness,
    }
    return {id_: measures[id_](facts, method) for id_ in method.thresholds}
