"""Edits of a policy as pure functions: a policy and what a form said in, a new policy out.

Knows no request, no page and no control socket. Locked cells are left as they are: what nobody at
the school can loosen is refused by the supervisor whatever a form says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from filterd.policy.model import (
    Action,
    CategoryId,
    Device,
    Floor,
    Period,
    Policy,
    Segment,
    ServiceId,
    Term,
    Tier,
    YouTube,
)
from filterd.policy.taxonomy import Taxonomy

Form = Mapping[str, str]


def locked(tier: Tier, floor: Floor) -> bool:
    """Whether the tier's switch for a category with this floor is not the school's to move."""
    return floor is Floor.EVERYONE or (floor is Floor.PUPILS and tier.pupils)


def with_tier(policy: Policy, new: Tier) -> Policy:
    """The policy with one tier replaced."""
    tiers = tuple(new if tier.id == new.id else tier for tier in policy.tiers)
    return replace(policy, tiers=tiers)


def matrix(policy: Policy, known: Taxonomy, form: Form, shown: frozenset[str]) -> Policy:
    """The whole matrix from its form; `shown` are the categories whose services were on it."""
    tiers = tuple(_row(tier, known, form, shown) for tier in policy.tiers)
    return replace(policy, tiers=tiers)


def _row(tier: Tier, known: Taxonomy, form: Form, shown: frozenset[str]) -> Tier:
    blocked = {
        key
        for key, kind in known.categories.items()
        if (key in tier.blocked if locked(tier, kind.floor) else f"block:{tier.id}:{key}" in form)
    }
    blocked_services, allowed_services = set(tier.blocked_services), set(tier.allowed_services)
    for key, service in known.services.items():
        if service.category in shown:
            blocked_services.discard(key)
            allowed_services.discard(key)
            word = form.get(f"service:{tier.id}:{key}", "")
            if word == "block":
                blocked_services.add(key)
            elif word == "allow":
                allowed_services.add(key)
    return replace(
        _settings(tier, known, form),
        blocked=frozenset(blocked),
        blocked_services=frozenset(blocked_services),
        allowed_services=frozenset(allowed_services),
    )


def _settings(tier: Tier, known: Taxonomy, form: Form) -> Tier:
    if f"action:{tier.id}" not in form:
        return tier
    ttl = form.get(f"ttl:{tier.id}", "")
    engines = {engine.id for engine in known.safe_search.engines}
    return replace(
        tier,
        allow_only=f"allow_only:{tier.id}" in form,
        youtube=YouTube(form.get(f"youtube:{tier.id}", tier.youtube)),
        safe_search=frozenset(key for key in engines if f"safe:{tier.id}:{key}" in form),
        block_unsafe_engines=f"unsafe:{tier.id}" in form,
        action=Action(form[f"action:{tier.id}"]),
        block_ttl=int(ttl) if ttl.isascii() and ttl.isdigit() else tier.block_ttl,
    )


def service_word(tier: Tier, key: ServiceId) -> str:
    """What a tier says about a service: `block`, `allow` or `` (as its category)."""
    if key in tier.blocked_services:
        return "block"
    return "allow" if key in tier.allowed_services else ""


def scheduled(tier: Tier) -> dict[CategoryId, list[str]]:
    """Names of the periods that change each category, for the clock marks in the matrix."""
    marks: dict[CategoryId, list[str]] = {}
    for period in tier.schedule:
        for key in period.effect.allow | period.effect.block:
            marks.setdefault(key, []).append(period.name)
    return marks


def drop_assertion(policy: Policy, tier_id: str, name: str) -> Policy:
    """A tier without its assertions about `name`."""
    tier = next(tier for tier in policy.tiers if tier.id == tier_id)
    expect = tuple(each for each in tier.expect if each.name != name)
    return with_tier(policy, replace(tier, expect=expect))


def add_period(policy: Policy, tier_id: str, period: Period) -> Policy:
    """A tier's schedule with one more period; a period of the same name is replaced."""
    tier = next(tier for tier in policy.tiers if tier.id == tier_id)
    kept = tuple(other for other in tier.schedule if other.name != period.name)
    return with_tier(policy, replace(tier, schedule=(*kept, period)))


def drop_period(policy: Policy, tier_id: str, name: str) -> Policy:
    """A tier's schedule without the period of that name."""
    tier = next(tier for tier in policy.tiers if tier.id == tier_id)
    kept = tuple(other for other in tier.schedule if other.name != name)
    return with_tier(policy, replace(tier, schedule=kept))


def with_spans(policy: Policy, kind: str, spans: tuple[Term, ...]) -> Policy:
    """The policy with other `terms`, `holidays` or `exams` in its calendar."""
    calendar = policy.calendar
    if kind == "terms":
        return replace(policy, calendar=replace(calendar, terms=spans))
    if kind == "holidays":
        return replace(policy, calendar=replace(calendar, holidays=spans))
    return replace(policy, calendar=replace(calendar, exams=spans))


def put_segment(policy: Policy, segment: Segment) -> Policy:
    """The policy with a segment added or, by its id, replaced."""
    kept = tuple(other for other in policy.segments if other.id != segment.id)
    return replace(policy, segments=(*kept, segment))


def drop_segment(policy: Policy, key: str) -> Policy:
    """The policy without that segment."""
    kept = tuple(other for other in policy.segments if other.id != key)
    return replace(policy, segments=kept)


def put_devices(policy: Policy, devices: tuple[Device, ...]) -> Policy:
    """The policy with devices added or, by their key, replaced."""
    keys = {device.key for device in devices}
    kept = tuple(other for other in policy.devices if other.key not in keys)
    return replace(policy, devices=kept + devices)


def drop_device(policy: Policy, key: str) -> Policy:
    """The policy without that device."""
    return replace(policy, devices=tuple(other for other in policy.devices if other.key != key))
