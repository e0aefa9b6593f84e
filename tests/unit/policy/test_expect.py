"""Expectations stop a policy that does not do what it promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time

from filterd.policy import expect
from filterd.policy.model import (
    CategoryId,
    Effect,
    Expectation,
    Name,
    Override,
    Period,
    Policy,
    Range,
)
from filterd.policy.ruleset import compile_ruleset
from filterd.policy.taxonomy import Taxonomy
from tests.fake_index import FakeIndex, listing

LUNCH = Period(
    "Nghỉ trưa",
    frozenset(range(7)),
    (Range(time(11, 30), time(13)),),
    frozenset(),
    Effect(allow=frozenset({CategoryId("games")})),
)
INDEX = FakeIndex({"games.example": (listing("games"),), "porn.example": (listing("porn"),)})


def failures(policy: Policy, taxonomy: Taxonomy, *wanted: Expectation) -> list[tuple[str, str]]:
    tier = replace(policy.tiers[1], expect=wanted, schedule=(LUNCH,))
    policy = replace(policy, tiers=(policy.tiers[0], tier, *policy.tiers[2:]))
    found = expect.check(compile_ruleset(policy, taxonomy, INDEX, 1), policy)
    return [(failure.outcome, failure.period or "") for failure in found if failure.tier == tier.id]


def test_the_shipped_policies_keep_their_promises(shipped: Policy, taxonomy: Taxonomy) -> None:
    assert expect.check(compile_ruleset(shipped, taxonomy, FakeIndex(), 1), shipped) == ()


def test_blocked_must_hold_at_every_hour(shipped: Policy, taxonomy: Taxonomy) -> None:
    games = Expectation(Name("games.example"), "blocked")
    assert failures(shipped, taxonomy, games) == [("allowed", "Nghỉ trưa")]
    assert failures(shipped, taxonomy, Expectation(Name("porn.example"), "blocked")) == []


def test_allowed_is_asked_outside_every_period(shipped: Policy, taxonomy: Taxonomy) -> None:
    games = Expectation(Name("games.example"), "allowed")
    assert failures(shipped, taxonomy, games) == [("blocked", "")]


def test_at_an_instant(shipped: Policy, taxonomy: Taxonomy) -> None:
    noon = datetime.fromisoformat("2026-11-23T12:00:00+07:00")
    assert failures(shipped, taxonomy, Expectation(Name("games.example"), "allowed", noon)) == []
    games = Expectation(Name("games.example"), "blocked", noon)
    assert failures(shipped, taxonomy, games) == [("allowed", "")]


def test_an_override_that_breaks_a_promise_is_found(shipped: Policy, taxonomy: Taxonomy) -> None:
    rule = Override(Name("tiktok.com"), True, reason="r", author="a")
    policy = replace(shipped, overrides=(rule,))
    found = expect.check(compile_ruleset(policy, taxonomy, FakeIndex(), 1), policy)
    assert [(f.tier, f.expectation.name) for f in found] == [("lower_secondary", "tiktok.com")]


def test_lists_that_lost_a_category_are_found(shipped: Policy, taxonomy: Taxonomy) -> None:
    index = FakeIndex()
    del index.rules["porn.canary.filterd.test"]
    found = expect.check(compile_ruleset(shipped, taxonomy, index, 1), shipped)
    assert {f.tier for f in found} == {tier.id for tier in shipped.tiers}
