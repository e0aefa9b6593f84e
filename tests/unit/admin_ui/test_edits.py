"""Edits of the policy: what a form says and nothing else changes; locked cells never move."""

from __future__ import annotations

from admin_ui.school import edits, week
from admin_ui.shared import documents
from filterd.policy.diff import diff
from filterd.policy.model import Calendar, Floor, Policy
from tests.unit.admin_ui.fake_control import policy_files, taxonomy_files

POLICY, KNOWN = documents.parsed(policy_files(), taxonomy_files())


def form_of(policy: Policy) -> dict[str, str]:
    """The matrix's form as the browser sends it untouched."""
    form: dict[str, str] = {}
    for tier in policy.tiers:
        form.update({f"block:{tier.id}:{key}": "on" for key in tier.blocked})
        form.update({f"safe:{tier.id}:{key}": "on" for key in tier.safe_search})
        form[f"action:{tier.id}"] = tier.action
        form[f"youtube:{tier.id}"] = tier.youtube
        form[f"ttl:{tier.id}"] = str(tier.block_ttl)
        if tier.allow_only:
            form[f"allow_only:{tier.id}"] = "on"
        if tier.block_unsafe_engines:
            form[f"unsafe:{tier.id}"] = "on"
    return form


def test_untouched_form_changes_nothing() -> None:
    assert edits.matrix(POLICY, KNOWN, form_of(POLICY), frozenset()) == POLICY


def test_one_cell_changes_one_category_of_one_tier() -> None:
    form = form_of(POLICY)
    del form["block:primary:games"]
    new = edits.matrix(POLICY, KNOWN, form, frozenset())
    changes = diff(POLICY, new, KNOWN)
    assert [(change.vi, change.weakens) for change in changes] == [
        ("Tiểu học: chặn loại: bỏ Trò chơi trực tuyến", True)
    ]


def test_a_forged_form_cannot_move_a_locked_cell() -> None:
    new = edits.matrix(POLICY, KNOWN, {}, frozenset())
    for old_tier, tier in zip(POLICY.tiers, new.tiers, strict=True):
        for key, kind in KNOWN.categories.items():
            if edits.locked(old_tier, kind.floor):
                assert (key in tier.blocked) == (key in old_tier.blocked)
    assert edits.locked(POLICY.tiers[0], Floor.PUPILS)
    assert not edits.locked(POLICY.tiers[-1], Floor.PUPILS)


def test_services_move_only_where_they_were_shown() -> None:
    form = {**form_of(POLICY), "service:primary:roblox": "allow"}
    hidden = edits.matrix(POLICY, KNOWN, form, frozenset())
    shown = edits.matrix(POLICY, KNOWN, form, frozenset({"games"}))
    primary = next(tier for tier in shown.tiers if tier.id == "primary")
    assert hidden == POLICY
    assert "roblox" in primary.allowed_services


def test_dropping_an_assertion_is_a_change_that_weakens() -> None:
    tier = next(tier for tier in POLICY.tiers if tier.id == "primary")
    name = next(each.name for each in tier.expect if each.outcome == "blocked")
    new = edits.drop_assertion(POLICY, "primary", name)
    after = next(tier for tier in new.tiers if tier.id == "primary")
    assert name not in {each.name for each in after.expect}
    assert any(change.weakens for change in diff(POLICY, new, KNOWN))


def test_the_week_draws_a_night_on_both_days() -> None:
    upper = next(tier for tier in POLICY.tiers if tier.id == "upper_secondary")
    blocks = week.blocks(upper.schedule, Calendar.TERM)
    assert blocks
    assert all(0 <= block.start < block.end <= week.DAY_MINUTES for block in blocks)
    exam = week.blocks(upper.schedule, Calendar.EXAM)
    assert {block.name for block in exam} != {block.name for block in blocks}
