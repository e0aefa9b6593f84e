"""What all tiers of a compiled policy share: look-up tables by name, made once per policy.

Every table is asked with a name and each of its ancestors; none is ever scanned. Knows no instant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from filterd.policy import origins, special_names
from filterd.policy.model import (
    Action,
    AuthorityEntry,
    CategoryId,
    Floor,
    LocalRecord,
    Name,
    Override,
    Policy,
    Service,
    ServiceId,
    TierId,
    YouTube,
)
from filterd.policy.taxonomy import Taxonomy
from filterd.policy.verdict import Alias, ListIndex, Local, Origin, Step
from filterd.wire import constants

EXCEPTION_DAYS = timedelta(days=30)
SEARCH_TTL = 300
Rewrite = tuple[str, Alias | tuple[tuple[str, int, str], ...], int | None]
"""(engine, what to answer, line): an alias, or (type, TTL, value) records."""
RECORD_TYPES = {
    "A": constants.A,
    "AAAA": constants.AAAA,
    "CNAME": constants.CNAME,
    "MX": constants.MX,
    "PTR": constants.PTR,
    "SRV": constants.SRV,
    "TXT": constants.TXT,
}
"""What a school's own record may be."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of the box's settings the decision needs: zones served here, own encrypted endpoints.

    `served`: the conditional zones. `designation`: SVCB values for `_dns.resolver.arpa` (RFC 9462),
    only when the box really serves them with a valid certificate; else empty.
    """

    served: tuple[Name, ...] = ()
    designation: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceRule:
    """What a tier does with a service's names: allow, or block by itself or by its category."""

    service: Service
    origin: Origin
    allow: bool = False
    by_category: bool = False


@dataclass(frozen=True, slots=True)
class Tables:
    """The shared look-ups of one policy."""

    index: ListIndex
    specials: Mapping[Name, special_names.Special]
    served: frozenset[Name]
    own_zones: frozenset[Name]
    designation: tuple[str, ...]
    records: Mapping[Name, tuple[LocalRecord, ...]]
    everyone: frozenset[CategoryId]
    pupils: frozenset[CategoryId]
    fixed: frozenset[CategoryId]
    canaries: frozenset[Name]


@dataclass(frozen=True, slots=True)
class Rules:
    """What differs between tiers, segments and times."""

    tier: TierId
    pupils: bool
    action: Action
    block_ttl: int
    blocked: frozenset[CategoryId]
    allow_only: bool
    allowed: frozenset[Name]
    overrides: Mapping[Name, tuple[Override, bool]]
    authority: Mapping[Name, AuthorityEntry]
    services: Mapping[Name, ServiceRule]
    rewrites: Mapping[Name, Rewrite]
    unsafe: frozenset[Name]


@runtime_checkable
class RaisesFloor(Protocol):
    """Lists that bring more categories of the floor with them; nothing brings fewer."""

    @property
    def floor(self) -> Mapping[CategoryId, Floor]:
        """Category → for whom it is locked besides the built-in floor."""


def _locked(whom: Floor, *floors: Mapping[CategoryId, Floor]) -> frozenset[CategoryId]:
    return frozenset(id for each in floors for id, floor in each.items() if floor is whom)


def make(
    policy: Policy, taxonomy: Taxonomy, index: ListIndex, surroundings: Surroundings
) -> Tables:
    """The tables of a policy."""
    records: dict[Name, list[LocalRecord]] = defaultdict(list)
    for record in policy.records:
        records[record.name].append(record)
    served = frozenset(policy.internal_zones) | frozenset(surroundings.served)
    floors = {id: category.floor for id, category in taxonomy.categories.items()}
    raised = index.floor if isinstance(index, RaisesFloor) else {}
    return Tables(
        index=index,
        specials=special_names.table(served),
        served=served,
        own_zones=frozenset(policy.internal_zones),
        designation=surroundings.designation,
        records={name: tuple(found) for name, found in records.items()},
        everyone=_locked(Floor.EVERYONE, floors, raised),
        pupils=_locked(Floor.PUPILS, floors, raised),
        fixed=frozenset(id for id, found in taxonomy.categories.items() if not found.excepted),
        canaries=frozenset(Name(f"{id}.{special_names.CANARY_ZONE}") for id in floors),
    )


def exception_stands(override: Override) -> bool:
    """Whether an override carries what beats a floor: ≤ 30 days, two different people."""
    exception, expires = override.exception, override.expires
    if not override.allow or exception is None or expires is None:
        return False
    author, second = override.author.strip().casefold(), exception.approved_by.strip().casefold()
    if not author or not second or author == second or not override.reason.strip():
        return False
    return exception.approved_at < expires <= exception.approved_at + EXCEPTION_DAYS


def rewrites(taxonomy: Taxonomy, engines: frozenset[str], youtube: YouTube) -> dict[Name, Rewrite]:
    """What safe search and YouTube's restricted mode answer, by exact name."""
    table = taxonomy.safe_search
    found: dict[Name, Rewrite] = {}
    for engine in table.engines:
        if engine.id not in engines:
            continue
        target: Alias | tuple[tuple[str, int, str], ...]
        if engine.cnames:
            target = Alias(engine.cnames[0], engine.cnames[1:])
        else:
            target = (
                *(("A", SEARCH_TTL, address) for address in engine.a),
                *(("AAAA", SEARCH_TTL, address) for address in engine.aaaa),
            )
        found.update(dict.fromkeys(engine.names, (engine.id, target, engine.line)))
    if youtube is not YouTube.OFF:
        mode = table.strict if youtube is YouTube.STRICT else table.moderate
        found.update(dict.fromkeys(table.youtube, (f"youtube {youtube}", Alias(mode), None)))
    return found


def service_rules(
    taxonomy: Taxonomy,
    categories: frozenset[CategoryId],
    blocked: frozenset[ServiceId],
    allowed: frozenset[ServiceId],
) -> dict[Name, ServiceRule]:
    """Name → what is done with the service it belongs to; on one name a block beats an allow.

    A blocked category blocks its services too, unless the tier allows the service.
    """
    found: dict[Name, ServiceRule] = {}
    for service in taxonomy.services.values():
        by_category = service.category in categories
        if service.id in blocked:
            rule = ServiceRule(service, origins.service(Step.SERVICE, service))
        elif service.id in allowed:
            rule = ServiceRule(service, origins.service(Step.SERVICE, service), allow=True)
        elif by_category:
            origin = origins.service(Step.CATEGORY, service)
            rule = ServiceRule(service, origin, by_category=True)
        else:
            continue
        for name in service.names:
            other = found.get(name)
            if other is None or _weight(rule) > _weight(other):
                found[name] = rule
    return found


def _weight(rule: ServiceRule) -> int:
    if rule.allow:
        return 1
    return 0 if rule.by_category else 2


def filtered(name: Name, qtype: int, records: Iterable[tuple[str, int, str]]) -> Local:
    """The records of the asked type (A or AAAA) as an answer; others are an empty answer."""
    wanted = "A" if qtype == constants.A else "AAAA" if qtype == constants.AAAA else None
    return Local(
        constants.NOERROR,
        tuple((name, type, ttl, value) for type, ttl, value in records if type == wanted),
    )


def local_answer(records: Iterable[LocalRecord], qtype: int) -> Local:
    """The school's own records of the asked type, or its CNAME whatever is asked."""
    return Local(
        constants.NOERROR,
        tuple(
            (record.name, record.type, record.ttl, record.value)
            for record in records
            if RECORD_TYPES[record.type] in (qtype, constants.CNAME)
        ),
    )
