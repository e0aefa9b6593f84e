"""The policies in the box: valid, and doing for every tier what their own `expect` says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from filterd.policy.model import CategoryId, Name, Policy, TierId, YouTube
from filterd.policy.ruleset import Ruleset, compile_ruleset
from filterd.policy.taxonomy import CATEGORIES, FLOOR, Taxonomy
from filterd.policy.verdict import Allowed, Blocked, Placement, Question, Rewritten, Step
from tests.fake_index import FakeIndex

MONDAY_MORNING = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TIERS = ("preschool", "primary", "lower_secondary", "upper_secondary", "staff")


@pytest.fixture(scope="module")
def ruleset(shipped: Policy, taxonomy: Taxonomy) -> Ruleset:
    return compile_ruleset(shipped, taxonomy, FakeIndex(), 1)


def test_tiers_stand_in_the_order_of_age(shipped: Policy) -> None:
    assert tuple(tier.id for tier in shipped.tiers) == TIERS


def test_loopback_segments_of_the_contract(shipped: Policy) -> None:
    assert {str(segment.network): segment.tier for segment in shipped.segments} == {
        f"127.0.{number}.0/24": tier for number, tier in enumerate(TIERS, 10)
    }


def test_unknown_sources_get_preschool(ruleset: Ruleset) -> None:
    assert ruleset.strictest == "preschool"


def test_youtube_modes(shipped: Policy) -> None:
    assert [tier.youtube for tier in shipped.tiers] == [
        YouTube.STRICT, YouTube.STRICT, YouTube.STRICT, YouTube.MODERATE, YouTube.OFF,
    ]  # fmt: skip


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("category", CATEGORIES)
def test_every_canary_is_blocked_or_answered_here(
    ruleset: Ruleset, shipped: Policy, tier: str, category: str
) -> None:
    chosen = next(found for found in shipped.tiers if found.id == tier)
    effective = ruleset.effective(Placement(TierId(tier)), MONDAY_MORNING)
    verdict = effective.verdict(Question(Name(f"{category}.canary.filterd.test"), 1))
    floor = FLOOR.get(category)
    wanted = category in chosen.blocked or (
        floor is not None and (floor == "everyone" or chosen.pupils)
    )
    if tier == "lower_secondary" and category == "genai":
        wanted = False  # a lesson hour on a school day
    assert isinstance(verdict, Blocked if wanted else Rewritten)
    if wanted:
        assert verdict.origin.category == CategoryId(category)


@pytest.mark.parametrize("tier", TIERS)
def test_the_allowed_canary_is_answered_in_every_tier(ruleset: Ruleset, tier: str) -> None:
    effective = ruleset.effective(Placement(TierId(tier)), MONDAY_MORNING)
    verdict = effective.verdict(Question(Name("allowed.canary.filterd.test"), 1))
    assert isinstance(verdict, Rewritten)
    assert verdict.answer.records == (("allowed.canary.filterd.test", "A", 10, "192.0.2.1"),)


def test_same_name_two_tiers(ruleset: Ruleset) -> None:
    def ask(tier: str) -> object:
        effective = ruleset.effective(Placement(TierId(tier)), MONDAY_MORNING)
        return effective.verdict(Question(Name("www.facebook.com"), 28))

    assert isinstance(ask("primary"), Blocked)
    assert isinstance(ask("staff"), Allowed)


def test_preschool_is_a_walled_garden(ruleset: Ruleset) -> None:
    effective = ruleset.effective(Placement(TierId("preschool")), MONDAY_MORNING)
    outside = effective.verdict(Question(Name("example.com"), 1))
    inside = effective.verdict(Question(Name("www.moet.gov.vn"), 1))
    assert isinstance(outside, Blocked) and outside.origin.step is Step.ALLOW_ONLY
    assert isinstance(inside, Allowed)
