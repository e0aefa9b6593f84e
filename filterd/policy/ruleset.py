"""A policy and the compiled lists as one thing that decides: immutable in meaning, swapped whole.

Owns the rules in force per tier, segment and time, and remembers them. Precedence among overrides:
the more specific name, then the narrower scope (segment, tier, all), then block before allow.
Pure: the instant is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from filterd.policy import schedule, tables
from filterd.policy.effective import Effective
from filterd.policy.mentioned import mentioned
from filterd.policy.model import (
    CategoryId,
    Effect,
    Name,
    Override,
    Policy,
    SegmentId,
    ServiceId,
    Tier,
    TierId,
    YouTube,
)
from filterd.policy.state import Place, State, scope, state_at, until
from filterd.policy.tables import Rewrite, Rules, ServiceRule, Surroundings
from filterd.policy.taxonomy import Taxonomy
from filterd.policy.tiers import strictest
from filterd.policy.verdict import ListIndex, Placement


class Ruleset:
    """The compiled policy; `effective` gives the rules in force for a source."""

    def __init__(
        self,
        policy: Policy,
        taxonomy: Taxonomy,
        revision: int,
        shared: tables.Tables,
    ) -> None:
        self.policy, self.taxonomy, self.revision = policy, taxonomy, revision
        self.strictest = strictest(policy)
        self.zone = ZoneInfo(policy.time_zone)
        self._tables = shared
        self._tiers = {tier.id: tier for tier in policy.tiers}
        self._standing = tuple(tables.exception_stands(rule) for rule in policy.overrides)
        self._mentioned = frozenset(
            segment for rule in policy.overrides for segment in rule.segments
        ).union(*(exam.segments for exam in policy.exams))
        self._slots: dict[tuple[TierId, SegmentId | None, bool], Effective] = {}
        self._keys: dict[State, int] = {}
        self._rewrites: dict[tuple[frozenset[str], YouTube], dict[Name, Rewrite]] = {}
        self._services: dict[tuple[frozenset[str], ...], dict[Name, ServiceRule]] = {}

    def effective(self, placement: Placement, at: datetime | None) -> Effective:
        """The rules in force for this tier and segment; None: the clock is not trusted.

        A tier that the policy does not have gets the strictest one.
        """
        tier = placement.tier if placement.tier in self._tiers else self.strictest
        segment = placement.segment if placement.segment in self._mentioned else None
        slot = (tier, segment, at is None)
        found = self._slots.get(slot)
        if found is None or not _holds(found, at):
            found = self._slots[slot] = self._build(Place(self._tiers[tier], segment), at)
        return found

    @property
    def mentioned(self) -> frozenset[Name]:
        """Names that the policy itself speaks of, and all below them; lists speak of the rest."""
        return mentioned(self.policy, self.taxonomy, self._tables)

    def during(self, tier: TierId, running: Iterable[int]) -> Effective:
        """The tier's rules as if exactly these periods ran, with untimed overrides (for checks)."""
        place = Place(self._tiers[tier], None)
        lasting = tuple(
            number
            for number, rule in enumerate(self.policy.overrides)
            if rule.expires is None and scope(rule, place) is not None
        )
        orders = tuple(range(len(self.policy.authority)))
        return self._effective(
            place, State(tier, None, tuple(running), lasting, (), orders), None, None
        )

    def _build(self, place: Place, at: datetime | None) -> Effective:
        state = state_at(self.policy, place, at, self.zone)
        end = until(self.policy, place, at, self.zone)
        return self._effective(place, state, at, end)

    def _effective(
        self, place: Place, state: State, since: datetime | None, end: datetime | None
    ) -> Effective:
        key = self._keys.setdefault(state, len(self._keys))
        return Effective(self._tables, self._rules(place, state), key, since, end)

    def _rules(self, place: Place, state: State) -> Rules:
        tier, policy = place.tier, self.policy
        effect = _effect(tier, state.running)
        fixed = self._tables.everyone | (self._tables.pupils if tier.pupils else frozenset())
        blocked = ((tier.blocked | effect.block) - effect.allow) - fixed
        allow_only = tier.allow_only if effect.allow_only is None else effect.allow_only
        exams = [policy.exams[number] for number in state.exams]
        return Rules(
            tier=tier.id,
            pupils=tier.pupils,
            action=tier.action,
            block_ttl=tier.block_ttl,
            blocked=blocked,
            allow_only=allow_only or bool(exams),
            allowed=self._allowed(tier, effect).union(*(exam.allowed for exam in exams)),
            overrides=self._overrides(place, state.overrides),
            authority={policy.authority[n].name: policy.authority[n] for n in state.orders},
            services=self._service_rules(tier, effect, blocked),
            rewrites=self._rewritten(tier.safe_search, _youtube(tier, effect, state.running)),
            unsafe=(
                frozenset(self.taxonomy.safe_search.unsafe)
                if tier.block_unsafe_engines
                else frozenset()
            ),
        )

    def _allowed(self, tier: Tier, effect: Effect) -> frozenset[Name]:
        """Names of allow-only mode: the tier's own, its groups, the services it allows."""
        groups = self.taxonomy.must_allow
        names = set(tier.allowed)
        for group in tier.allowed_groups:
            if group in groups:
                names.update(groups[group].names)
        for service in _allowed_services(tier, effect):
            if service in self.taxonomy.services:
                names.update(self.taxonomy.services[service].names)
        return frozenset(names)

    def _overrides(
        self, place: Place, numbers: tuple[int, ...]
    ) -> dict[Name, tuple[Override, bool]]:
        found: dict[Name, tuple[Override, bool]] = {}
        ranks: dict[Name, tuple[int, bool]] = {}
        for number in numbers:
            rule = self.policy.overrides[number]
            rank = (scope(rule, place) or 0, not rule.allow)
            if rule.name not in ranks or rank > ranks[rule.name]:
                ranks[rule.name] = rank
                found[rule.name] = (rule, self._standing[number])
        return found

    def _service_rules(
        self, tier: Tier, effect: Effect, categories: frozenset[CategoryId]
    ) -> dict[Name, ServiceRule]:
        blocked = (tier.blocked_services | effect.block_services) - effect.allow_services
        allowed = _allowed_services(tier, effect)
        key = (categories, blocked, allowed)
        if key not in self._services:
            self._services[key] = tables.service_rules(self.taxonomy, *key)
        return self._services[key]

    def _rewritten(self, engines: frozenset[str], youtube: YouTube) -> dict[Name, Rewrite]:
        key = (engines, youtube)
        if key not in self._rewrites:
            self._rewrites[key] = tables.rewrites(self.taxonomy, engines, youtube)
        return self._rewrites[key]


def compile_ruleset(
    policy: Policy,
    taxonomy: Taxonomy,
    index: ListIndex,
    revision: int,
    surroundings: Surroundings | None = None,
) -> Ruleset:
    """The ruleset of a policy that `document.parse` accepted, over these compiled lists."""
    shared = tables.make(policy, taxonomy, index, surroundings or Surroundings())
    return Ruleset(policy, taxonomy, revision, shared)


def _holds(found: Effective, at: datetime | None) -> bool:
    if at is None or found.since is None:
        return True
    return found.since <= at and (found.until is None or at < found.until)


def _effect(tier: Tier, running: tuple[int, ...] | None) -> Effect:
    if running is None:
        return schedule.together(schedule.strict_part(p.effect) for p in tier.schedule)
    return schedule.together(tier.schedule[number].effect for number in running)


def _youtube(tier: Tier, effect: Effect, running: tuple[int, ...] | None) -> YouTube:
    if effect.youtube is None:
        return tier.youtube
    return (
        effect.youtube if running is not None else schedule.stricter(tier.youtube, effect.youtube)
    )


def _allowed_services(tier: Tier, effect: Effect) -> frozenset[ServiceId]:
    return (tier.allowed_services | effect.allow_services) - effect.block_services
