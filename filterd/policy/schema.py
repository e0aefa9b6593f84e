"""The JSON Schema (2020-12) of the policy files, for editors and for `filterd policy schema`.

Form only: what must agree between values (tiers that exist, floors, approvals) is checked by
`document.parse`. The words come from a taxonomy.
"""

from __future__ import annotations

from typing import TypeAlias

from filterd.policy import school_document, tier_document
from filterd.policy.model import Action, Calendar, YouTube
from filterd.policy.override_document import EXAM_KEYS, ORDER_KEYS, OVERRIDE_KEYS
from filterd.policy.tables import RECORD_TYPES
from filterd.policy.taxonomy import Taxonomy

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json]"

NAME: Json = {"type": "string", "minLength": 1, "maxLength": 1004, "description": "domain name"}
TEXT: Json = {"type": "string", "maxLength": 500}
MOMENT: Json = {"type": "string", "format": "date-time"}
DAY: Json = {"type": "string", "format": "date"}
IDENTIFIER: Json = {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$"}
HOURS: Json = {"type": "string", "pattern": "^\\d{1,2}:\\d{2}\\s*[-–]\\s*\\d{1,2}:\\d{2}$"}
_WEEKDAY = "mon|tue|wed|thu|fri|sat|sun|t[2-7]|cn"
WEEKDAYS: Json = {
    "type": "string",
    "pattern": f"^({_WEEKDAY})( *- *({_WEEKDAY}))?$",
}
TRUTH: Json = {"anyOf": [{"type": "boolean"}, {"enum": ["on", "off", "yes", "no"]}]}


def schema(taxonomy: Taxonomy) -> dict[str, Json]:
    """One schema with `$defs/school` and `$defs/tier`; a file must be one of the two."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "filterd policy files",
        "anyOf": [{"$ref": "#/$defs/school"}, {"$ref": "#/$defs/tier"}],
        "$defs": {"school": _school(), "tier": _tier(taxonomy)},
    }


def _object(keys: tuple[str, ...], need: tuple[str, ...] = (), **forms: Json) -> dict[str, Json]:
    unknown = set(forms) - set(keys)
    if unknown or set(keys) - set(forms):
        raise ValueError(f"the schema and the reader disagree: {unknown or set(keys) - set(forms)}")
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: forms[key] for key in keys},
        "required": list(need),
    }


def _named(forms: dict[str, Json]) -> dict[str, Json]:
    return {"type": "object", "additionalProperties": False, "properties": forms}


def _many(item: Json) -> dict[str, Json]:
    return {"type": "array", "items": item}


def _one_of(words: list[str]) -> Json:
    return {"enum": list(words)}


def _some(item: Json) -> Json:
    """A list, or one value standing for a list of one."""
    return {"anyOf": [item, _many(item)]}


def _school() -> dict[str, Json]:
    term = _object(("name", "first", "last"), ("name", "first"), name=TEXT, first=DAY, last=DAY)
    return _object(
        school_document.KEYS,
        identity=_object(
            ("id", "name", "facility_type", "commune", "roles"),
            id=TEXT,
            name=TEXT,
            facility_type=TEXT,
            commune=TEXT,
            roles={"type": "object", "additionalProperties": TEXT},
        ),
        time_zone=TEXT,
        tiers=_many(IDENTIFIER),
        unknown=IDENTIFIER,
        calendar=_object(
            ("terms", "holidays", "exams", "service"),
            terms=_many(term),
            holidays=_many(term),
            exams=_many(term),
            service=_object(("weekdays", "hours"), weekdays=_some(WEEKDAYS), hours=_some(HOURS)),
        ),
        segments=_many(_segment()),
        devices=_many(
            _object(
                ("mac", "token", "tier", "title"),
                ("tier",),
                mac=TEXT,
                token=IDENTIFIER,
                tier=IDENTIFIER,
                title=TEXT,
            )
        ),
        local=_local(),
        portal=_many(TEXT),
        overrides=_many(_override()),
        exams=_many(_exam()),
        authority=_many(_order()),
    )


def _segment() -> dict[str, Json]:
    return _object(
        ("id", "network", "tier", "title", "vlan"),
        ("id", "network", "tier"),
        id=IDENTIFIER,
        network=TEXT,
        tier=IDENTIFIER,
        title=TEXT,
        vlan={"type": "integer", "minimum": 1, "maximum": 4094},
    )


def _local() -> dict[str, Json]:
    record = _object(
        ("name", "type", "value", "ttl"),
        ("name", "value"),
        name=NAME,
        type=_one_of(sorted(RECORD_TYPES)),
        value=TEXT,
        ttl={"type": "integer", "minimum": 1, "maximum": 86400},
    )
    return _object(("records", "internal_zones"), records=_many(record), internal_zones=_some(NAME))


def _override() -> dict[str, Json]:
    return _object(
        OVERRIDE_KEYS,
        ("name", "action", "reason", "author"),
        name=NAME,
        action=_one_of(["allow", "block"]),
        tiers=_some(IDENTIFIER),
        segments=_some(IDENTIFIER),
        reason=TEXT,
        author=TEXT,
        expires=MOMENT,
        exception=_object(
            ("approved_by", "approved_at"),
            ("approved_by", "approved_at"),
            approved_by=TEXT,
            approved_at=MOMENT,
        ),
        safe_search=TRUTH,
    )


def _exam() -> dict[str, Json]:
    return _object(
        EXAM_KEYS,
        ("segments", "until"),
        segments=_some(IDENTIFIER),
        until=MOMENT,
        allowed=_some(NAME),
        reason=TEXT,
        author=TEXT,
    )


def _order() -> dict[str, Json]:
    return _object(
        ORDER_KEYS,
        ("name", "document", "issuer", "issued"),
        name=NAME,
        document=TEXT,
        issuer=TEXT,
        issued=DAY,
        expires=DAY,
    )


def _tier(taxonomy: Taxonomy) -> dict[str, Json]:
    words = tier_document.known_words(taxonomy)
    categories = _some(_one_of(sorted(words.categories)))
    services = _some(_one_of(sorted(words.services)))
    youtube = _one_of([mode.value for mode in YouTube])
    block = _object(tier_document.BLOCK_KEYS, categories=categories, services=services)
    engines = dict.fromkeys(sorted(words.engines), TRUTH)
    search = {**engines, "youtube": youtube, "block_unsafe_engines": TRUTH}
    outcome = _one_of(list(tier_document.OUTCOMES))
    return _object(
        tier_document.KEYS,
        ("id", "title"),
        id=IDENTIFIER,
        title=_object(("vi", "en"), ("vi", "en"), vi=TEXT, en=TEXT),
        pupils=TRUTH,
        block=block,
        allow=_object(
            tier_document.ALLOW_KEYS,
            services=services,
            names=_some(NAME),
            groups=_some(_one_of(sorted(words.groups))),
        ),
        allow_only=TRUTH,
        safe_search=_named(search),
        action=_one_of([action.value for action in Action]),
        block_ttl={"type": "integer", "minimum": 10, "maximum": 60},
        schedule=_many(_period(block, youtube)),
        expect=_expect(outcome),
    )


def _period(block: Json, youtube: Json) -> dict[str, Json]:
    return _object(
        tier_document.PERIOD_KEYS,
        ("name", "hours"),
        name=TEXT,
        weekdays=_some(WEEKDAYS),
        hours=_some(HOURS),
        on=_some(_one_of([kind.value for kind in Calendar])),
        block=block,
        allow=block,
        allow_only=TRUTH,
        youtube=youtube,
    )


def _expect(outcome: Json) -> Json:
    timed = _object(("outcome", "at"), ("outcome",), outcome=outcome, at=MOMENT)
    listed = _object(
        ("name", "outcome", "at"), ("name", "outcome"), name=NAME, outcome=outcome, at=MOMENT
    )
    pairs: Json = {"type": "object", "additionalProperties": {"anyOf": [outcome, timed]}}
    return {"anyOf": [pairs, _many(listed)]}
