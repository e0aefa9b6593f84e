"""The ruleset as a machine: keys, memory of what is in force, size, and shared outcomes."""

from __future__ import annotations

import gc
import time as clock
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.policy.model import (
    Exception_,
    Name,
    Override,
    Policy,
    Segment,
    SegmentId,
    TierId,
)
from filterd.policy.ruleset import Ruleset, compile_ruleset
from filterd.policy.taxonomy import Taxonomy
from filterd.policy.verdict import (
    Allowed,
    Blocked,
    Local,
    Placement,
    Question,
    Rewritten,
    Step,
)
from tests.fake_index import FakeIndex, listing

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
PRIMARY = Placement(TierId("primary"))


def made(policy: Policy, taxonomy: Taxonomy, **rules: tuple[object, ...]) -> Ruleset:
    index = FakeIndex({name.replace("_", "."): found for name, found in rules.items()})  # type: ignore[misc]
    return compile_ruleset(policy, taxonomy, index, 1)


def test_the_same_rules_have_the_same_key(shipped: Policy, taxonomy: Taxonomy) -> None:
    ruleset = made(shipped, taxonomy)
    key = ruleset.effective(PRIMARY, AT).key
    assert ruleset.effective(Placement(TierId("primary"), SegmentId("thu-thpt")), AT).key == key
    assert ruleset.effective(PRIMARY, AT + timedelta(days=400)).key == key
    assert ruleset.effective(Placement(TierId("staff")), AT).key != key
    lower = Placement(TierId("lower_secondary"))
    noon, evening = AT + timedelta(hours=3), AT + timedelta(hours=9)
    keys = [ruleset.effective(lower, moment).key for moment in (AT, noon, evening, AT)]
    assert len(set(keys)) == 3 and keys[0] == keys[3]


def test_what_is_in_force_is_remembered_until_it_changes(
    shipped: Policy, taxonomy: Taxonomy
) -> None:
    ruleset = made(shipped, taxonomy)
    lower = Placement(TierId("lower_secondary"))
    first = ruleset.effective(lower, AT)
    assert first.until is not None
    assert ruleset.effective(lower, first.until - timedelta(microseconds=1)) is first
    assert ruleset.effective(lower, first.until) is not first
    assert ruleset.effective(lower, AT).key == first.key  # the clock was set back


def test_an_override_for_one_segment_reaches_no_other(shipped: Policy, taxonomy: Taxonomy) -> None:
    rule = Override(Name("a.example"), False, segments=frozenset({SegmentId("thu-thpt")}))
    ruleset = made(replace(shipped, overrides=(rule,)), taxonomy)
    inside = ruleset.effective(Placement(TierId("primary"), SegmentId("thu-thpt")), AT)
    outside = ruleset.effective(PRIMARY, AT)
    assert inside.key != outside.key
    question = Question(Name("www.a.example"), 1)
    assert isinstance(inside.verdict(question), Blocked)
    assert isinstance(outside.verdict(question), Allowed)


def test_a_personal_rule_is_not_shared(shipped: Policy, taxonomy: Taxonomy) -> None:
    games = listing("games", personal=True)
    piracy = listing("piracy", personal=True)
    ruleset = made(shipped, taxonomy, games_example=(games,), piracy_example=(piracy,))
    staff = ruleset.effective(Placement(TierId("staff")), AT)
    for name in ("games.example", "piracy.example"):
        assert not staff.verdict(Question(Name(name), 1)).shared
    assert staff.verdict(Question(Name("example.com"), 1)).shared


def test_a_rewrite_of_the_schools_own_list(shipped: Policy, taxonomy: Taxonomy) -> None:
    answer = Local(0, (("games.example", "A", 60, "192.0.2.9"),))
    games = listing("games")._replace(rewrite=answer)
    malware = listing("malware")._replace(rewrite=answer)
    ruleset = made(shipped, taxonomy, games_example=(games,), bad_example=(malware,))
    primary = ruleset.effective(PRIMARY, AT)
    verdict = primary.verdict(Question(Name("games.example"), 1))
    assert isinstance(verdict, Rewritten) and verdict.answer == answer
    assert isinstance(primary.verdict(Question(Name("bad.example"), 1)), Blocked)
    staff = ruleset.effective(Placement(TierId("staff")), AT)
    assert isinstance(staff.verdict(Question(Name("games.example"), 1)), Allowed)


def test_an_exception_is_checked_again_although_documents_refuse_bad_ones(
    shipped: Policy, taxonomy: Taxonomy
) -> None:
    def allows(**changes: object) -> bool:
        rule = Override(
            Name("bad.example"), True, reason="r", author="an", expires=AT + timedelta(days=5),
            exception=Exception_("binh", AT - timedelta(days=1)),
        )  # fmt: skip
        policy = replace(shipped, overrides=(replace(rule, **changes),))  # type: ignore[arg-type]
        ruleset = made(policy, taxonomy, bad_example=(listing("malware"),))
        verdict = ruleset.effective(PRIMARY, AT).verdict(Question(Name("bad.example"), 1))
        return isinstance(verdict, Allowed)

    assert allows()
    assert not allows(exception=None)
    assert not allows(author="Binh ")
    assert not allows(reason=" ")
    assert not allows(expires=None)
    assert not allows(expires=AT + timedelta(days=29, seconds=1))
    assert allows(expires=AT + timedelta(days=29))


names = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(
    lambda labels: Name(".".join([*labels, "example"]))
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(names, st.booleans(), st.sampled_from(["", "tier"])), max_size=8), names)
def test_overrides_against_a_plain_reading_of_the_precedence(
    shipped: Policy, taxonomy: Taxonomy, written: list[tuple[Name, bool, str]], asked: Name
) -> None:
    overrides = tuple(
        Override(name, allow, tiers=frozenset({PRIMARY.tier}) if scope else frozenset())
        for name, allow, scope in written
    )
    ruleset = made(replace(shipped, overrides=overrides), taxonomy)
    verdict = ruleset.effective(PRIMARY, AT).verdict(Question(asked, 1))
    about = [
        (len(name), bool(scope), not allow)
        for name, allow, scope in written
        if asked == name or asked.endswith("." + name)
    ]
    if not about:
        assert verdict.origin.step is Step.FORWARD
    else:
        blocks = max(about)[2]
        assert isinstance(verdict, Blocked if blocks else Allowed)
        assert verdict.origin.step is Step.OVERRIDE


def test_a_large_school_compiles_in_no_time(shipped: Policy, taxonomy: Taxonomy) -> None:
    """10,000 networks and 500 overrides in 50 ms of CPU (the bound is ×5 for slow machines)."""
    segments = tuple(
        Segment(SegmentId(f"s{n}"), ip_network((0x0A000000 + (n << 8), 24)), TierId("primary"))
        for n in range(10_000)
    )
    overrides = tuple(
        Override(Name(f"n{n}.example"), n % 2 == 0, tiers=frozenset({TierId("primary")}))
        for n in range(500)
    )
    policy = replace(shipped, segments=segments, overrides=overrides)
    gc.collect()
    start = clock.process_time()
    ruleset = compile_ruleset(policy, taxonomy, FakeIndex(), 1)
    for tier in policy.tiers:
        ruleset.effective(Placement(tier.id), AT)
    assert clock.process_time() - start < 0.25
    blocked = ruleset.effective(PRIMARY, AT).verdict(Question(Name("www.n7.example"), 1))
    assert isinstance(blocked, Blocked)
