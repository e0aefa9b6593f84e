"""Which names a policy speaks of by itself, whatever the lists say of them.

About every other name two with the same entries in the lists get the same verdict under the same
rules: that is what lets one verdict stand for all of them. Pure; knows no list.
"""

from __future__ import annotations

from collections.abc import Iterator

from filterd.policy.model import Name, Policy
from filterd.policy.tables import Tables
from filterd.policy.taxonomy import Taxonomy


def mentioned(policy: Policy, taxonomy: Taxonomy, shared: Tables) -> frozenset[Name]:
    """Every name that some step of the decision looks up by itself or by a name above it, at any
    time and in any tier. The root is in it when a rule is about everything."""
    return frozenset(_names(policy, taxonomy, shared))


def _names(policy: Policy, taxonomy: Taxonomy, shared: Tables) -> Iterator[Name]:
    yield from shared.specials
    yield from shared.served
    yield from shared.records
    yield from shared.canaries
    for rule in policy.overrides:
        yield rule.name
    for order in policy.authority:
        yield order.name
    for exam in policy.exams:
        yield from exam.allowed
    for tier in policy.tiers:
        yield from tier.allowed
    for group in taxonomy.must_allow.values():
        yield from group.names
    for service in taxonomy.services.values():
        yield from service.names
    for engine in taxonomy.safe_search.engines:
        yield from engine.names
    yield from taxonomy.safe_search.youtube
    yield from taxonomy.safe_search.unsafe
