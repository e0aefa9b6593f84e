"""A policy's own assertions, checked before it may go live.

An expectation with an instant is judged then. Without one, `blocked` must hold at every hour (the
base and each period of the schedule), `allowed` and `rewritten` while no period runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from filterd.errors import Problem
from filterd.policy.effective import Effective
from filterd.policy.model import Expectation, Policy, Tier, TierId
from filterd.policy.ruleset import Ruleset
from filterd.policy.verdict import Allowed, Blocked, Placement, Question, Verdict
from filterd.wire.constants import A

_VI = {"blocked": "bị chặn", "allowed": "được mở", "rewritten": "được làm an toàn"}
"""Outcomes in Vietnamese, as they stand after a verb."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that does not hold: `period` names the period that breaks it, if one does."""

    tier: TierId
    expectation: Expectation
    got: Verdict
    period: str | None = None

    @property
    def outcome(self) -> str:
        """What came out instead, in the word of the document."""
        return outcome(self.got)


def outcome(verdict: Verdict) -> str:
    """The word for a verdict in policies, metrics and commands."""
    if isinstance(verdict, Allowed):
        return "allowed"
    return "blocked" if isinstance(verdict, Blocked) else "rewritten"


def check(ruleset: Ruleset, policy: Policy) -> tuple[Failure, ...]:
    """Every expectation of every tier that does not hold; empty: the policy may go live."""
    return tuple(
        failure
        for tier in policy.tiers
        for expectation in tier.expect
        if (failure := _failure(ruleset, tier, expectation)) is not None
    )


def _failure(ruleset: Ruleset, tier: Tier, expectation: Expectation) -> Failure | None:
    question = Question(expectation.name, A)
    for period, effective in _moments(ruleset, tier, expectation):
        got = effective.verdict(question)
        if outcome(got) != expectation.outcome:
            return Failure(tier.id, expectation, got, period)
    return None


def _moments(
    ruleset: Ruleset, tier: Tier, expectation: Expectation
) -> Iterator[tuple[str | None, Effective]]:
    if expectation.at is not None:
        yield None, ruleset.effective(Placement(tier.id), expectation.at)
        return
    yield None, ruleset.during(tier.id, ())
    if expectation.outcome == "blocked":
        for number, period in enumerate(tier.schedule):
            yield period.name, ruleset.during(tier.id, (number,))


def problem(failure: Failure) -> Problem:
    """A broken expectation as a mistake of the policy, in both languages."""
    wanted, got = failure.expectation, failure.outcome
    during = f" ({failure.period})" if failure.period else ""
    return Problem(
        f"{failure.tier}.yaml", None, "expect",
        f"{wanted.name} must be {wanted.outcome}, would be {got}{during}", None,
        f"{wanted.name} phải {_VI[wanted.outcome]}, nhưng sẽ {_VI[got]}{during}",
    )  # fmt: skip
