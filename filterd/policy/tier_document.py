"""Reads one tier file: what the tier blocks and allows, its schedule, what it must come out as.

Knows the keys of a tier and the taxonomy they refer to; other tiers and the school not at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from filterd.policy import values
from filterd.policy.model import (
    Action,
    Calendar,
    CategoryId,
    Effect,
    Expectation,
    Floor,
    Name,
    Period,
    ServiceId,
    Tier,
    TierId,
    YouTube,
)
from filterd.policy.reader import Fields, Log, ValueProblem, choice, truth, whole
from filterd.policy.taxonomy import Taxonomy, title_of
from filterd.policy.tree import Mapping, Node, Scalar, Sequence

KEYS = (
    *("id", "title", "pupils", "block", "allow", "allow_only", "safe_search", "action"),
    *("block_ttl", "schedule", "expect"),
)
BLOCK_KEYS = ("categories", "services")
ALLOW_KEYS = ("services", "names", "groups")
PERIOD_KEYS = ("name", "weekdays", "hours", "on", "block", "allow", "allow_only", "youtube")
OUTCOMES = ("allowed", "blocked", "rewritten")
PUPIL_TIERS = frozenset({"preschool", "primary", "lower_secondary", "upper_secondary"})
"""Tiers of contract §3 that are always pupils': no document takes the pupils' floor from them."""
EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Known:
    """The words a policy may use."""

    categories: frozenset[str]
    services: frozenset[str]
    groups: frozenset[str]
    engines: frozenset[str]
    everyone: frozenset[str]
    pupils: frozenset[str]


def known_words(taxonomy: Taxonomy) -> Known:
    """The words of a taxonomy."""
    floors = {str(id): category.floor for id, category in taxonomy.categories.items()}
    return Known(
        categories=frozenset(floors),
        services=frozenset(map(str, taxonomy.services)),
        groups=frozenset(taxonomy.must_allow),
        engines=frozenset(engine.id for engine in taxonomy.safe_search.engines),
        everyone=frozenset(id for id, floor in floors.items() if floor is Floor.EVERYONE),
        pupils=frozenset(id for id, floor in floors.items() if floor is Floor.PUPILS),
    )


def read_tier(log: Log, tree: Node, known: Known) -> Tier:
    """The tier as far as it can be read; mistakes are in the log."""
    fields = Fields(log, tree, "", KEYS)
    tier = TierId(fields.value("id", values.identifier, "", need=True))
    pupils = fields.value("pupils", truth, True)
    if tier in PUPIL_TIERS and not pupils:
        fields.wrong("pupils", ValueProblem(f"{tier} is a pupils' tier", f"{tier} là bậc học sinh"))
    block = fields.child("block", BLOCK_KEYS)
    allow = fields.child("allow", ALLOW_KEYS)
    search = fields.child(
        "safe_search", (*sorted(known.engines), "youtube", "block_unsafe_engines")
    )
    found = Tier(
        tier,
        title_of(fields),
        pupils,
        blocked=_categories(block, known),
        blocked_services=_services(block, known),
        allowed_services=_services(allow, known),
        allow_only=fields.value("allow_only", truth, False),
        allowed=allow.values("names", values.name) if allow else (),
        allowed_groups=allow.values("groups", choice(known.groups)) if allow else (),
        safe_search=_engines(search, known),
        youtube=_youtube(search) or YouTube.OFF,
        block_unsafe_engines=bool(search and search.value("block_unsafe_engines", truth, False)),
        action=Action(fields.value("action", choice([a.value for a in Action]), "nxdomain")),
        block_ttl=fields.value("block_ttl", whole(10, 60), 30),
        schedule=_schedule(fields, known, pupils),
        expect=tuple(_expectations(fields)),
    )
    _check_services(found, block)
    return found


def _categories(fields: Fields | None, known: Known) -> frozenset[CategoryId]:
    if fields is None:
        return frozenset()
    return frozenset(map(CategoryId, fields.values("categories", choice(known.categories))))


def _services(fields: Fields | None, known: Known) -> frozenset[ServiceId]:
    if fields is None:
        return frozenset()
    return frozenset(map(ServiceId, fields.values("services", choice(known.services))))


def _engines(fields: Fields | None, known: Known) -> frozenset[str]:
    if fields is None:
        return frozenset()
    return frozenset(engine for engine in known.engines if fields.value(engine, truth, False))


def _youtube(fields: Fields | None) -> YouTube | None:
    if fields is None or not fields.has("youtube"):
        return None
    return YouTube(fields.value("youtube", choice([mode.value for mode in YouTube]), "strict"))


def _check_services(tier: Tier, block: Fields | None) -> None:
    both = sorted(tier.blocked_services & tier.allowed_services)
    if block is not None and both:
        block.wrong(
            "services",
            ValueProblem(
                "blocked and allowed at once: " + ", ".join(both),
                "vừa chặn vừa cho phép: " + ", ".join(both),
            ),
        )


def _schedule(fields: Fields, known: Known, pupils: bool) -> tuple[Period, ...]:
    found: list[Period] = []
    for item in fields.children("schedule", PERIOD_KEYS):
        period = _period(item, known, pupils)
        if any(other.name == period.name for other in found):
            item.wrong("name", ValueProblem("stands twice", "tên có hai lần"))
        found.append(period)
    return tuple(found)


def _period(item: Fields, known: Known, pupils: bool) -> Period:
    days = item.values("weekdays", values.weekdays)
    ranges = item.values("hours", values.hours)
    if not item.has("hours"):
        item.wrong("hours", ValueProblem("is missing", "còn thiếu", '["07:00-11:30"]'))
    block, allow = item.child("block", BLOCK_KEYS), item.child("allow", BLOCK_KEYS)
    effect = Effect(
        _categories(block, known),
        _categories(allow, known),
        _services(block, known),
        _services(allow, known),
        item.value("allow_only", truth, False) if item.has("allow_only") else None,
        _youtube(item),
    )
    locked = known.everyone | (known.pupils if pupils else frozenset())
    if allow is not None and (opened := sorted(locked & effect.allow)):
        allow.wrong(
            "categories",
            ValueProblem(
                "nobody at a school opens: " + ", ".join(opened),
                "không ai ở trường được mở: " + ", ".join(opened),
            ),
        )
    if effect == Effect():
        item.wrong(None, ValueProblem("changes nothing", "không thay đổi gì"))
    return Period(
        item.value("name", values.line, "", need=True),
        frozenset[int]().union(*days) if days else EVERY_DAY,
        ranges,
        frozenset(map(Calendar, item.values("on", choice([kind.value for kind in Calendar])))),
        effect,
    )


def _expectations(fields: Fields) -> list[Expectation]:
    """`name: outcome` pairs (or `name: {outcome, at}`), or a list of `{name, outcome, at}`."""
    node = fields.node("expect")
    if isinstance(node, Sequence):
        return [
            _expectation(item, item.value("name", values.name, Name(""), need=True))
            for item in fields.children("expect", ("name", "outcome", "at"))
        ]
    found: list[Expectation] = []
    for text, line, value in fields.pairs("expect"):
        key = f"expect.{text}"
        try:
            name = values.name(text)
        except ValueProblem as problem:
            fields.log.add(line, key, problem)
            continue
        if isinstance(value, Scalar):
            value = Mapping(value.line, (("outcome", value.line, value),))
        found.append(_expectation(Fields(fields.log, value, key, ("outcome", "at")), name))
    return found


def _expectation(item: Fields, name: Name) -> Expectation:
    outcome = item.value("outcome", choice(OUTCOMES), "blocked", need=True)
    return Expectation(name, outcome, item.value("at", values.moment, None))
