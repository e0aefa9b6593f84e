"""The nouns of a policy as frozen values: what a school decided, nothing that runs.

Knows no YAML, no list, no clock and no network. Documents are read by `document`, time by
`schedule`, and decisions are made by `ruleset`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import date, datetime, time
from ipaddress import IPv4Network, IPv6Network
from typing import NewType

from filterd.wire.names import Name as Name

TierId = NewType("TierId", str)
CategoryId = NewType("CategoryId", str)
ServiceId = NewType("ServiceId", str)
ListId = NewType("ListId", str)
SegmentId = NewType("SegmentId", str)

Network = IPv4Network | IPv6Network


class Action(enum.StrEnum):
    """How a client is told that a name is blocked (contract §3)."""

    NXDOMAIN = "nxdomain"
    NODATA = "nodata"
    SINKHOLE = "sinkhole"
    PORTAL = "portal"
    REFUSED = "refused"


class YouTube(enum.StrEnum):
    """YouTube restricted mode, apart from safe search (field.md §2 item 18)."""

    OFF = "off"
    MODERATE = "moderate"
    STRICT = "strict"


class Floor(enum.StrEnum):
    """Whom a category is locked for; nobody at a school loosens it."""

    NONE = "none"
    PUPILS = "pupils"
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Title:
    """A text in both languages of the product."""

    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of content; `excepted` False means that no exception exists at the school."""

    id: CategoryId
    title: Title
    floor: Floor = Floor.NONE
    excepted: bool = True
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A named application: a bundle of names, each meaning itself and everything below."""

    id: ServiceId
    title: Title
    category: CategoryId
    names: tuple[Name, ...]
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """Local wall-clock times [start, end); end ≤ start runs over midnight into the next day."""

    start: time
    end: time


class Calendar(enum.StrEnum):
    """Kinds of day a period may be limited to."""

    ANY = "any"
    TERM = "term"
    HOLIDAY = "holiday"
    EXAM = "exam"


@dataclass(frozen=True, slots=True)
class Effect:
    """What differs from the tier's base while a period runs; None leaves a setting as it is."""

    block: frozenset[CategoryId] = frozenset()
    allow: frozenset[CategoryId] = frozenset()
    block_services: frozenset[ServiceId] = frozenset()
    allow_services: frozenset[ServiceId] = frozenset()
    allow_only: bool | None = None
    youtube: YouTube | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """A named stretch of the week; `weekdays` counts Monday as 0 (day on which a range starts)."""

    name: str
    weekdays: frozenset[int]
    ranges: tuple[Range, ...]
    on: frozenset[Calendar]
    effect: Effect


@dataclass(frozen=True, slots=True)
class Expectation:
    """An assertion about a tier: `name` must come out as `outcome` (allowed/blocked/rewritten)."""

    name: Name
    outcome: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """An age band and what it may see. `pupils` False is staff: the pupils' floor is not theirs.

    `allowed` and `allowed_groups` (bundles of the must-allow pack) count in allow-only mode.
    """

    id: TierId
    title: Title
    pupils: bool
    blocked: frozenset[CategoryId]
    blocked_services: frozenset[ServiceId] = frozenset()
    allowed_services: frozenset[ServiceId] = frozenset()
    allow_only: bool = False
    allowed: tuple[Name, ...] = ()
    allowed_groups: tuple[str, ...] = ()
    safe_search: frozenset[str] = frozenset()
    youtube: YouTube = YouTube.OFF
    block_unsafe_engines: bool = False
    action: Action = Action.NXDOMAIN
    block_ttl: int = 30
    schedule: tuple[Period, ...] = ()
    expect: tuple[Expectation, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A network of the school with its tier; the longest prefix wins."""

    id: SegmentId
    network: Network
    tier: TierId
    title: str = ""
    vlan: int | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """One known device: by hardware address ("aa:bb:cc:dd:ee:ff") or by DoH/DoT token."""

    key: str
    tier: TierId
    title: str = ""


@dataclass(frozen=True, slots=True)
class Exception_:
    """The approval that lets an override beat the floor (contract §5): ≤ 30 days, two people."""

    approved_by: str
    approved_at: datetime


@dataclass(frozen=True, slots=True)
class Override:
    """A school's own allow or block for a name and everything below it.

    Empty `tiers`/`segments` mean all of them. `expires` is absolute (aware). `exception` is
    what alone lets an allow beat the floor. `safe_search` True lets an allow beat the rewrite.
    """

    name: Name
    allow: bool
    tiers: frozenset[TierId] = frozenset()
    segments: frozenset[SegmentId] = frozenset()
    reason: str = ""
    author: str = ""
    expires: datetime | None = None
    exception: Exception_ | None = None
    safe_search: bool = False
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Exam:
    """Allow-only for some segments until an absolute time; `allowed` is added to the tier's own."""

    segments: frozenset[SegmentId]
    until: datetime
    allowed: tuple[Name, ...] = ()
    reason: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class AuthorityEntry:
    """A name that a competent authority ordered blocked; all tiers, not removable at the school."""

    name: Name
    document: str
    issuer: str
    issued: date
    expires: date | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Term:
    """A stretch of school days, both ends included."""

    name: str
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class SchoolCalendar:
    """Terms, holidays and exam days of the school, and its daily service hours."""

    terms: tuple[Term, ...] = ()
    holidays: tuple[Term, ...] = ()
    exams: tuple[Term, ...] = ()
    service_weekdays: frozenset[int] = frozenset(range(6))
    service_hours: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True)
class LocalRecord:
    """A record of the school's own zone in presentation form, as dnslib reads it."""

    name: Name
    type: str
    value: str
    ttl: int = 60
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the school is; ids only, the office's register has the rest."""

    id: str = ""
    name: str = ""
    facility_type: str = ""
    commune: str = ""
    roles: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole document of a school. A revision of it is a stored, numbered copy."""

    identity: Identity
    time_zone: str
    tiers: tuple[Tier, ...]
    segments: tuple[Segment, ...] = ()
    devices: tuple[Device, ...] = ()
    records: tuple[LocalRecord, ...] = ()
    internal_zones: tuple[Name, ...] = ()
    overrides: tuple[Override, ...] = ()
    exams: tuple[Exam, ...] = ()
    calendar: SchoolCalendar = field(default_factory=SchoolCalendar)
    authority: tuple[AuthorityEntry, ...] = ()
    portal: tuple[str, ...] = ()
    unknown: TierId | None = None
