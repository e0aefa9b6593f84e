"""What the evidence needs to know of the running school, declared here, implemented by `app`.

Types only. Nothing in here can carry a client, a device or a queried name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol, TypedDict

from filterd.evidence.records import (
    BypassFact,
    ChangeFact,
    Facility,
    FlowFact,
    GovernanceFact,
    ListFact,
    PathFact,
    PrivacyFact,
    Segments,
    TicketFact,
)
from filterd.evidence.suppression import Cell
from filterd.policy.model import Policy
from filterd.policy.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class Running:
    """The policy in force; `tier_hashes` are digests of each tier's document."""

    policy: Policy
    taxonomy: Taxonomy
    revision: int
    hash: str
    index: str
    tier_hashes: Mapping[str, str]


class Gathered(TypedDict):
    """Facts of one local day that other rooms count. `queries` and `cells` are not yet released:
    they pass through `suppression` before they go anywhere."""

    facility: Facility
    bundle: str | None
    lists: list[ListFact]
    segments: Segments
    path: PathFact | None
    flows: FlowFact | None
    tickets: TicketFact
    changes: ChangeFact
    governance: GovernanceFact
    privacy: PrivacyFact
    firewall: dict[str, BypassFact]
    queries: Cell
    bypass_blocked: Cell
    cells: dict[str, dict[str, Cell]]


class School(Protocol):
    """The running school."""

    def running(self) -> Running | None:
        """The policy in force; None before the first one."""

    def now(self) -> datetime:
        """The wall clock, aware."""

    def clock_trusted(self) -> bool:
        """Whether the wall clock may be believed."""

    async def online(self) -> bool | None:
        """Whether the Internet can be reached; None: not known."""

    def paused(self) -> bool:
        """Whether somebody paused the filter."""

    def closed_when_down(self) -> bool:
        """Whether nothing gets out while filterd is down (in-line, firewall checked)."""

    async def gather(self, day: date) -> Gathered:
        """What the other rooms know of that local day."""
