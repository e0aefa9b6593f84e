"""One upstream as the pool sees it: where it is, how to ask it, how it has done."""

from __future__ import annotations

from dataclasses import dataclass

from filterd.upstream.attempt import Transport
from filterd.upstream.endpoint import Endpoint
from filterd.upstream.habits import Habits
from filterd.upstream.health import Health, State


@dataclass(frozen=True, slots=True)
class Upstream:
    """`zone` is the wire form of the only zone it may speak about, None for any name."""

    endpoint: Endpoint
    transport: Transport
    habits: Habits
    health: Health
    zone: bytes | None = None

    @property
    def name(self) -> str:
        """How metrics and replies call it: as configured, without pins and addresses."""
        return self.endpoint.text.partition(";")[0]


@dataclass(frozen=True, slots=True)
class UpstreamStatus:
    """A copy of an upstream's counters for metrics and `doctor`; times in seconds.

    `lies` are datagrams that pretended to be an answer: wrong ids and malformed ones.
    """

    name: str
    zone: str
    state: State
    queries: int
    replies: int
    failures: int
    refusals: int
    rtt: float
    wrong_ids: int
    malformed: int
    to_tcp: int
    keeps_case: bool
    edns: bool


def status(upstream: Upstream, zone: str) -> UpstreamStatus:
    """The counters of one upstream at this moment."""
    health, habits = upstream.health, upstream.habits
    return UpstreamStatus(
        name=upstream.name,
        zone=zone,
        state=health.state,
        queries=health.queries,
        replies=health.replies,
        failures=health.failures,
        refusals=health.refusals,
        rtt=health.srtt,
        wrong_ids=habits.wrong_ids,
        malformed=habits.malformed,
        to_tcp=habits.to_tcp,
        keeps_case=habits.keeps_case,
        edns=habits.edns,
    )
