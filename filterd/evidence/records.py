"""The shape of the daily summary: what a school's box says about its filter for one day.

Types only; `schemas/summary-1.json` is the same contract for the outside and `summary` checks it.
Times are whole seconds, shares basis points, pairs are [passed, executed].
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

Pair = list[int]
"""[passed, executed]"""


class Clock(TypedDict):
    trusted: bool
    jumps: int


class Facility(TypedDict):
    """`deployment`: inline (the box forwards the Internet), dns_only (it only answers names)."""

    type: str
    levels: list[str]
    deployment: str


class PolicyFact(TypedDict):
    revision: int
    hash: str
    index: str
    bundle: str | None


class TierFact(TypedDict):
    """`blocked`: categories blocked at all times; `allow_only`: everything else is blocked too."""

    pupils: bool
    hash: str
    blocked: list[str]
    allow_only: bool


class TimeFact(TypedDict):
    """Seconds within the service calendar; what is missing from `service_s` is not proven."""

    service_s: int
    enforcing_s: int
    exposed_s: int
    offline_s: int
    paused_s: int
    all_enforcing_s: int
    all_exposed_s: int
    all_offline_s: int


class Failure(TypedDict):
    """One self-test that failed: enough to repeat it, nothing about anybody."""

    kind: str
    tier: str
    subject: str
    transport: str
    type: str
    got: str


class SelftestFact(TypedDict):
    """tier → category → pair; `allow`: tier → pair; `via`: how each tier's path was reached."""

    scheduled: int
    executed: int
    block: dict[str, dict[str, Pair]]
    allow: dict[str, Pair]
    via: dict[str, str]
    failed: list[Failure]


class BypassFact(TypedDict):
    """`not_applicable`: the written reason why the test does not apply here."""

    passed: int
    executed: int
    not_applicable: NotRequired[str]


class ListFact(TypedDict):
    """`checked_h`: hours since the source was last checked with success; `changed_h`: since it last
    differed (a dead feed that "updates" daily is stale). `kind`: shipped, fetched or office."""

    id: str
    category: str
    kind: str
    version: str
    licence: str
    entries: int
    checked_h: int
    changed_h: int
    loaded: bool
    intact: bool


class Segments(TypedDict):
    seen: int
    bound: int


class PathFact(TypedDict):
    """`active` is rounded; only the ratio is kept of the devices it was counted from."""

    used_bp: int
    active: int


class FlowFact(TypedDict):
    unresolved_bp: int
    flows: int


class TicketFact(TypedDict):
    """Over all kinds together: one abuse report of a day at a small school is about one child.

    `buckets`: decided within 1, 2, 4, 8, 16, 24, 48, 120 and more hours.
    """

    decided: int
    within: int
    overdue: int
    unblock_decided: int
    unblock_upheld: int
    buckets: list[int]


class ChangeFact(TypedDict):
    total: int
    complete: int
    weakening: int
    weakening_alone: int
    expired_overrides: int
    exceptions: int
    chain_ok: bool
    head: str


class Check(TypedDict):
    semester: str
    tier: str


class Action(TypedDict):
    """What the school promised to do about an amber indicator, and by when."""

    indicator: str
    due: str
    text: str


class GovernanceFact(TypedDict):
    """`review_due_since`: day of the last new kind of device, site or AI tool, if any."""

    roles: list[str]
    last_review: str | None
    review_due_since: str | None
    checks: list[Check]
    notice_version: str | None
    notice_current: bool
    actions: list[Action]


class PrivacyFact(TypedDict):
    oldest_record_s: int
    limit_s: int
    retention_ok: bool
    exports: int
    exports_logged: int
    dpia: str
    notice: bool


class Volume(TypedDict):
    """A day's number of queries, rounded; None: fewer than k clients or one dominates."""

    queries: int | None


class CellRow(TypedDict):
    cells: dict[str, int | None]
    total: int | None


class Cells(TypedDict):
    """The release of one closed month (`suppression.suppress`); in one summary per month."""

    month: str
    rows: dict[str, CellRow]
    total: int | None
    hidden: int


class Heading(TypedDict):
    """Whose summary, of which day, where in the chain; `restart` changes with each start."""

    format: str
    school: str
    device: str
    counter: int
    previous: str
    day: str
    made_at: str
    closed: bool
    method: str
    software: str
    restart: str


class Summary(Heading):
    """format filterd.summary/1"""

    clock: Clock
    facility: Facility
    policy: PolicyFact
    tiers: dict[str, TierFact]
    time: TimeFact
    selftest: SelftestFact
    safesearch: dict[str, dict[str, Pair]]
    bypass: dict[str, BypassFact]
    bypass_blocked: int | None
    lists: list[ListFact]
    segments: Segments
    path: PathFact | None
    flows: FlowFact | None
    tickets: TicketFact
    changes: ChangeFact
    governance: GovernanceFact
    privacy: PrivacyFact
    volume: Volume
    cells: Cells | None


class Efficacy(TypedDict):
    """Laboratory result of one compiled list version (I6): hits and n per category."""

    index: str
    recall: dict[str, Pair]
    vietnamese: dict[str, Pair]
    false_block: Pair
