"""The status of a school for a period: gates, no averaging. Pure.

An average would let 99.9 % uptime hide an empty list, so every gate stands alone (requirements §4).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from filterd.evidence.indicators.facts import Indicator, Verdict
from filterd.evidence.method import Method
from filterd.evidence.records import Action
from filterd.policy.model import Title


class Status(enum.StrEnum):
    """The five words of the certificate."""

    MET = "met"
    CONDITIONAL = "conditional"
    NOT_MET = "not_met"
    INSUFFICIENT = "insufficient"
    NOT_DEPLOYED = "not_deployed"


TITLES: Mapping[Status, Title] = {
    Status.MET: Title("ĐẠT", "MET"),
    Status.CONDITIONAL: Title("ĐẠT CÓ ĐIỀU KIỆN", "CONDITIONALLY MET"),
    Status.NOT_MET: Title("CHƯA ĐẠT", "NOT MET"),
    Status.INSUFFICIENT: Title("KHÔNG ĐỦ DỮ LIỆU", "INSUFFICIENT DATA"),
    Status.NOT_DEPLOYED: Title("CHƯA TRIỂN KHAI", "NOT DEPLOYED"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the status is not better: the indicator, what it did, and its own reason code."""

    indicator: str
    verdict: Verdict
    code: str


@dataclass(frozen=True, slots=True)
class Decision:
    """`reasons` are those that decided, worst first; `limits` indicators that could not be measured
    and are printed with the certificate."""

    status: Status
    reasons: tuple[Reason, ...] = ()
    limits: tuple[str, ...] = ()


NOT_DEPLOYED = Decision(Status.NOT_DEPLOYED)


def decide(
    indicators: Mapping[str, Indicator],
    method: Method,
    actions: Sequence[Action],
    today: date,
) -> Decision:
    """The first that applies: any red → not met; a gate unproven → insufficient; amber without a
    dated action still to come → not met; amber or a capping limit → conditional; else met."""
    red = _having(indicators, Verdict.FAIL)
    amber = _having(indicators, Verdict.WARN)
    blind = _having(indicators, Verdict.UNMEASURED)
    unproven = [each for each in blind if _effect(method, each) == "insufficient"]
    limits = tuple(each.indicator for each in blind if _effect(method, each) != "ignore")
    # Without enough summaries nothing else can be believed, not even a failure's absence.
    if any(each.indicator == "I14" for each in red):
        rest = [each for each in red if each.indicator != "I14"]
        return Decision(
            Status.NOT_MET if rest else Status.INSUFFICIENT,
            tuple(rest or red),
            limits,
        )
    if red:
        return Decision(Status.NOT_MET, tuple(red), limits)
    if unproven:
        return Decision(Status.INSUFFICIENT, tuple(unproven), limits)
    promised = {each["indicator"] for each in actions if date.fromisoformat(each["due"]) >= today}
    unpromised = [each for each in amber if each.indicator not in promised]
    if unpromised and method.amber_without_action == "not_met":
        return Decision(Status.NOT_MET, tuple(unpromised), limits)
    capping = [each for each in blind if _effect(method, each) == "cap"]
    if amber or capping:
        return Decision(Status.CONDITIONAL, tuple(amber + capping), limits)
    return Decision(Status.MET)


def _having(indicators: Mapping[str, Indicator], verdict: Verdict) -> list[Reason]:
    return [
        Reason(each.id, verdict, each.reason)
        for each in indicators.values()
        if each.verdict is verdict
    ]


def _effect(method: Method, reason: Reason) -> str:
    return method.thresholds[reason.indicator].unmeasured
