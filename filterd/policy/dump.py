"""Writes a policy as its YAML files: what `document.parse` reads back as the same policy.

Defaults are left out; comments of a file that was read are not kept (the console edits texts).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import TypeAlias

import yaml

from filterd.policy import values
from filterd.policy.model import (
    AuthorityEntry,
    Device,
    Effect,
    Exam,
    Expectation,
    Override,
    Period,
    Policy,
    SchoolCalendar,
    Segment,
    Term,
    Tier,
    YouTube,
)
from filterd.policy.school_document import SCHOOL
from filterd.policy.tier_document import EVERY_DAY

Plain: TypeAlias = "str | int | bool | list[Plain] | dict[str, Plain] | None"


def dump(policy: Policy) -> dict[str, str]:
    """File name → YAML: `school.yaml` and `<tier>.yaml` for every tier."""
    files = {SCHOOL: _yaml(_school(policy))}
    for tier in policy.tiers:
        files[f"{tier.id}.yaml"] = _yaml(_tier(tier))
    return files


def _yaml(content: Mapping[str, Plain]) -> str:
    return yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=False, width=100)


def _filled(**content: Plain) -> dict[str, Plain]:
    """Without what is empty; False and 0 stay out too, as every such default is false or zero."""
    return {key: value for key, value in content.items() if value}


def _school(policy: Policy) -> dict[str, Plain]:
    identity = policy.identity
    return _filled(
        identity=_filled(
            id=identity.id,
            name=identity.name,
            facility_type=identity.facility_type,
            commune=identity.commune,
            roles=dict(identity.roles),
        ),
        time_zone=policy.time_zone,
        tiers=[tier.id for tier in policy.tiers],
        unknown=policy.unknown,
        calendar=_calendar(policy.calendar),
        segments=[_segment(segment) for segment in policy.segments],
        devices=[_device(device) for device in policy.devices],
        local=_local(policy),
        portal=list(policy.portal),
        overrides=[_override(rule) for rule in policy.overrides],
        exams=[_exam(exam) for exam in policy.exams],
        authority=[_order(order) for order in policy.authority],
    )


def _calendar(calendar: SchoolCalendar) -> dict[str, Plain]:
    return _filled(
        terms=[_term(term) for term in calendar.terms],
        holidays=[_term(term) for term in calendar.holidays],
        exams=[_term(term) for term in calendar.exams],
        service=_filled(
            weekdays=_list(values.weekdays_text(calendar.service_weekdays)),
            hours=[values.hours_text(span) for span in calendar.service_hours],
        ),
    )


def _term(term: Term) -> dict[str, Plain]:
    return {"name": term.name, "first": _text(term.first), "last": _text(term.last)}


def _segment(segment: Segment) -> dict[str, Plain]:
    return _filled(
        id=segment.id,
        network=str(segment.network),
        tier=segment.tier,
        title=segment.title,
        vlan=segment.vlan,
    )


def _device(device: Device) -> dict[str, Plain]:
    kind = "mac" if ":" in device.key else "token"
    return _filled(**{kind: device.key}, tier=device.tier, title=device.title)


def _local(policy: Policy) -> dict[str, Plain]:
    records: list[Plain] = [
        {"name": found.name, "type": found.type, "value": found.value, "ttl": found.ttl}
        for found in policy.records
    ]
    return _filled(records=records, internal_zones=list(policy.internal_zones))


def _override(rule: Override) -> dict[str, Plain]:
    exception: dict[str, Plain] = {}
    if rule.exception is not None:
        exception["approved_by"] = rule.exception.approved_by
        exception["approved_at"] = _text(rule.exception.approved_at)
    return _filled(
        name=rule.name or ".",
        action="allow" if rule.allow else "block",
        tiers=_list(sorted(rule.tiers)),
        segments=_list(sorted(rule.segments)),
        reason=rule.reason,
        author=rule.author,
        expires=_text(rule.expires),
        exception=exception,
        safe_search=rule.safe_search,
    )


def _exam(exam: Exam) -> dict[str, Plain]:
    return _filled(
        segments=_list(sorted(exam.segments)),
        until=_text(exam.until),
        allowed=list(exam.allowed),
        reason=exam.reason,
        author=exam.author,
    )


def _order(order: AuthorityEntry) -> dict[str, Plain]:
    return _filled(
        name=order.name,
        document=order.document,
        issuer=order.issuer,
        issued=_text(order.issued),
        expires=_text(order.expires),
    )


def _tier(tier: Tier) -> dict[str, Plain]:
    search: dict[str, Plain] = dict.fromkeys(sorted(tier.safe_search), True)
    if tier.youtube is not YouTube.OFF:
        search["youtube"] = tier.youtube.value
    if tier.block_unsafe_engines:
        search["block_unsafe_engines"] = True
    return {
        "id": tier.id,
        "title": {"vi": tier.title.vi, "en": tier.title.en},
        "pupils": tier.pupils,
        **_filled(
            block=_filled(
                categories=_list(sorted(tier.blocked)),
                services=_list(sorted(tier.blocked_services)),
            ),
            allow=_filled(
                services=_list(sorted(tier.allowed_services)),
                names=list(tier.allowed),
                groups=list(tier.allowed_groups),
            ),
            allow_only=tier.allow_only,
            safe_search=search,
        ),
        "action": tier.action.value,
        "block_ttl": tier.block_ttl,
        **_filled(
            schedule=[_period(period) for period in tier.schedule],
            expect=[_expectation(expectation) for expectation in tier.expect],
        ),
    }


def _period(period: Period) -> dict[str, Plain]:
    days = period.weekdays if period.weekdays != EVERY_DAY else frozenset[int]()
    return {
        **_filled(
            name=period.name,
            weekdays=_list(values.weekdays_text(days)),
            hours=[values.hours_text(span) for span in period.ranges],
            on=_list(sorted(kind.value for kind in period.on)),
        ),
        **_effect(period.effect),
    }


def _effect(effect: Effect) -> dict[str, Plain]:
    found = _filled(
        block=_filled(
            categories=_list(sorted(effect.block)), services=_list(sorted(effect.block_services))
        ),
        allow=_filled(
            categories=_list(sorted(effect.allow)), services=_list(sorted(effect.allow_services))
        ),
    )
    if effect.allow_only is not None:
        found["allow_only"] = effect.allow_only
    if effect.youtube is not None:
        found["youtube"] = effect.youtube.value
    return found


def _expectation(expectation: Expectation) -> dict[str, Plain]:
    return _filled(name=expectation.name, outcome=expectation.outcome, at=_text(expectation.at))


def _list(words: list[str]) -> list[Plain]:
    return list(words)


def _text(when: date | datetime | None) -> str | None:
    return when.isoformat() if when is not None else None
