"""Reads `school.yaml`: who the school is, its networks, calendar, own names, overrides, orders.

Knows the keys of that file; the tiers it refers to are only ids here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from filterd.policy import values
from filterd.policy.model import (
    AuthorityEntry,
    Device,
    Exam,
    Identity,
    LocalRecord,
    Name,
    Network,
    Override,
    SchoolCalendar,
    Segment,
    SegmentId,
    Term,
    TierId,
)
from filterd.policy.override_document import (
    EXAM_KEYS,
    ORDER_KEYS,
    OVERRIDE_KEYS,
    read_exam,
    read_order,
    read_override,
)
from filterd.policy.reader import Fields, ValueProblem, choice, whole
from filterd.policy.tables import RECORD_TYPES
from filterd.policy.tree import Scalar

SCHOOL = "school.yaml"
KEYS = (
    *("identity", "time_zone", "tiers", "unknown", "calendar", "segments", "devices", "local"),
    *("portal", "overrides", "exams", "authority"),
)
PRIVATE_ZONES = frozenset(
    {"lan", "local", "internal", "home", "corp", "intranet", "private", "localdomain", "test"}
)
"""Single labels that a school may serve itself; any other one would swallow a public domain."""


@dataclass(frozen=True, slots=True)
class School:
    """What `school.yaml` says; `order` are the tiers in the order it gives them."""

    identity: Identity
    time_zone: str
    order: tuple[TierId, ...]
    unknown: TierId | None
    calendar: SchoolCalendar
    segments: tuple[Segment, ...]
    devices: tuple[Device, ...]
    records: tuple[LocalRecord, ...]
    internal_zones: tuple[Name, ...]
    portal: tuple[str, ...]
    overrides: tuple[Override, ...]
    exams: tuple[Exam, ...]
    authority: tuple[AuthorityEntry, ...]


def read_school(fields: Fields, tiers: Collection[str], pupils: Collection[str]) -> School:
    """The school as far as it can be read; `pupils` are the tiers an unknown source may get."""
    tier = choice(tiers)
    segments = _segments(fields, tier)
    places = frozenset(str(segment.id) for segment in segments)
    local = fields.child("local", ("records", "internal_zones"))
    unknown = fields.value("unknown", choice(pupils), None)
    return School(
        identity=_identity(fields),
        time_zone=fields.value("time_zone", _time_zone, "Asia/Ho_Chi_Minh"),
        order=tuple(map(TierId, fields.values("tiers", tier))),
        unknown=TierId(unknown) if unknown is not None else None,
        calendar=_calendar(fields),
        segments=segments,
        devices=_devices(fields, tier),
        records=_records(local),
        internal_zones=local.values("internal_zones", _own_zone) if local else (),
        portal=fields.values("portal", values.address),
        overrides=tuple(
            read_override(item, tier, choice(places))
            for item in fields.children("overrides", OVERRIDE_KEYS)
        ),
        exams=tuple(
            exam
            for item in fields.children("exams", EXAM_KEYS)
            if (exam := read_exam(item, choice(places))) is not None
        ),
        authority=tuple(
            order
            for item in fields.children("authority", ORDER_KEYS)
            if (order := read_order(item)) is not None
        ),
    )


def _identity(fields: Fields) -> Identity:
    item = fields.child("identity", ("id", "name", "facility_type", "commune", "roles"))
    if item is None:
        return Identity()
    roles = item.pairs("roles")
    return Identity(
        item.value("id", values.line, ""),
        item.value("name", values.line, ""),
        item.value("facility_type", values.line, ""),
        item.value("commune", values.line, ""),
        tuple((role, value.text) for role, _, value in roles if isinstance(value, Scalar)),
    )


def _time_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        raise ValueProblem(
            f"{text[:40]!r} is no time zone",
            f"{text[:40]!r} không phải múi giờ",
            "Asia/Ho_Chi_Minh",
        ) from None
    return text


def _calendar(fields: Fields) -> SchoolCalendar:
    item = fields.child("calendar", ("terms", "holidays", "exams", "service"))
    if item is None:
        return SchoolCalendar()
    service = item.child("service", ("weekdays", "hours"))
    days = service.values("weekdays", values.weekdays) if service else ()
    return SchoolCalendar(
        terms=_terms(item, "terms", apart=True),
        holidays=_terms(item, "holidays"),
        exams=_terms(item, "exams"),
        service_weekdays=frozenset[int]().union(*days) if days else frozenset(range(6)),
        service_hours=service.values("hours", values.hours) if service else (),
    )


def _terms(fields: Fields, key: str, *, apart: bool = False) -> tuple[Term, ...]:
    found: list[Term] = []
    for item in fields.children(key, ("name", "first", "last")):
        name = item.value("name", values.line, "", need=True)
        first = item.value("first", values.day, None, need=True)
        if first is None:
            continue
        last = item.value("last", values.day, first)
        if last < first:
            item.wrong("last", ValueProblem("lies before `first`", "trước ngày đầu"))
        for other in found if apart else ():
            if first <= other.last and other.first <= last:
                item.wrong(
                    "first",
                    ValueProblem(f"overlaps {other.name!r}", f"trùng ngày với {other.name!r}"),
                )
        found.append(Term(name, first, last))
    return tuple(found)


def _segments(fields: Fields, tier: Callable[[str], str]) -> tuple[Segment, ...]:
    found: list[Segment] = []
    ids: set[str] = set()
    networks: dict[Network, str] = {}
    for item in fields.children("segments", ("id", "network", "tier", "title", "vlan")):
        name = item.value("id", values.identifier, "", need=True)
        network = item.value("network", values.network, None, need=True)
        target = item.value("tier", tier, "", need=True)
        title = item.value("title", values.line, "")
        vlan = item.value("vlan", whole(1, 4094), None)
        if name and name in ids:
            item.wrong("id", ValueProblem(f"{name!r} stands twice", f"{name!r} có hai lần"))
        ids.add(name)
        if network is None:
            continue
        if network in networks:
            text = networks[network]
            item.wrong(
                "network",
                ValueProblem(f"is the network of {text!r} too", f"trùng mạng với {text!r}"),
            )
        networks.setdefault(network, name)
        found.append(Segment(SegmentId(name), network, TierId(target), title, vlan))
    return tuple(found)


def _devices(fields: Fields, tier: Callable[[str], str]) -> tuple[Device, ...]:
    found: list[Device] = []
    for item in fields.children("devices", ("mac", "token", "tier", "title")):
        if item.has("mac") == item.has("token"):
            item.wrong(None, ValueProblem("needs `mac` or `token`", "cần `mac` hoặc `token`"))
        mac = item.value("mac", values.hardware, "")
        key = mac or item.value("token", values.identifier, "")
        target = item.value("tier", tier, "", need=True)
        if any(other.key == key for other in found):
            item.wrong(None, ValueProblem(f"{key!r} stands twice", f"{key!r} có hai lần"))
        found.append(Device(key, TierId(target), item.value("title", values.line, "")))
    return tuple(found)


def _records(local: Fields | None) -> tuple[LocalRecord, ...]:
    found: list[LocalRecord] = []
    for item in local.children("records", ("name", "type", "value", "ttl")) if local else ():
        name = item.value("name", values.name, Name(""), need=True)
        type = item.value("type", choice(tuple(RECORD_TYPES)), "A")
        value = item.value("value", _record_value(type), "", need=True)
        ttl = item.value("ttl", whole(1, 86400), 60)
        found.append(LocalRecord(name, type, value, ttl, item.line))
    return tuple(found)


def _record_value(type: str) -> Callable[[str], str]:
    """Reads the value of a record in presentation form, as far as its type says what it must be."""

    def read(text: str) -> str:
        if type in ("A", "AAAA"):
            found = values.address(text)
            if (":" in found) != (type == "AAAA"):
                raise ValueProblem(f"{text!r} is not for {type}", f"{text!r} không dùng cho {type}")
            return found
        if type == "TXT":
            return values.line(text)
        *numbers, target = text.split()
        wanted = {"MX": 1, "SRV": 3}.get(type, 0)
        if len(numbers) != wanted or not all(
            part.isdigit() and int(part) <= 65535 for part in numbers
        ):
            raise ValueProblem(
                f"{text!r} is no {type} value", f"{text!r} không phải bản ghi {type}"
            )
        return " ".join([*numbers, values.name(target)])

    return read


def _own_zone(text: str) -> Name:
    zone = values.name(text)
    if "." not in zone and zone not in PRIVATE_ZONES:
        raise ValueProblem(
            f"{text!r} is a whole top-level domain",
            f"{text!r} là cả một tên miền cấp cao nhất",
            "school.lan",
        )
    return zone
