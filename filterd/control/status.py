"""`status.get`: how the service is, at a glance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any, Protocol

from filterd.control.glance import Lists, at_a_glance
from filterd.control.owner import Owner
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Nothing, Route, plain
from filterd.control.timed import paused_until
from filterd.live import LivePolicy
from filterd.storage.evidence import EvidenceStore


class Places(Protocol):
    """Who knows how many sources are placed where."""

    def places(self) -> Mapping[tuple[str, str | None, bool], int]:
        """(tier, segment, known) → number of sources."""


class View(Protocol):
    """The debug view that may be running."""

    @property
    def shown(self) -> Mapping[str, Any] | None:
        """Until when and by whom; None: it is off."""


@dataclass(frozen=True, slots=True)
class Around:
    """Whom the status asks besides the running policy."""

    owner: Owner
    lists: Lists
    places: Places
    view: View


def routes(live: LivePolicy, around: Around) -> dict[str, Route]:
    """The methods of this noun."""
    noun = _Status(live, around)
    return {"status.get": Route(Nothing, Permission.VIEW, noun.get)}


def state_word(live: LivePolicy, ready: int, at: datetime) -> str:
    """enforcing, paused, degraded (decides, but not as it should) or exposed (cannot decide)."""
    if not ready or live.ground.index_path is None:
        return "exposed"
    if paused_until(live.running.policy, at) is not None:
        return "paused"
    return "enforcing" if live.at_trusted else "degraded"


class _Status:
    def __init__(self, live: LivePolicy, around: Around) -> None:
        self._owner = around.owner
        self._live = live
        self._around = around
        self._evidence = EvidenceStore(around.owner.stores.database)
        self._since = around.owner.clock()

    async def get(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        now, running = self._owner.clock(), self._live.running
        states = self._owner.workers.states()
        stores = self._owner.stores
        await stores.approvals.expire(now)
        identity = running.policy.identity
        lists = at_a_glance(await self._around.lists.refresh(), now)
        return {
            "state": state_word(self._live, sum(s.alive for s in states), now),
            "since": self._since,
            "paused_until": paused_until(running.policy, now),
            "version": version("filterd"),
            "revision": running.revision,
            "hash": running.hash,
            "clock_trusted": self._live.at_trusted,
            "school": {"id": identity.id, "name": identity.name},
            "workers": plain(states),
            "upstreams": await self._upstreams(),
            "lists": lists,
            "decisions": {
                "approvals": len(await stores.approvals.list("open")),
                "tickets": (await stores.tickets.counts()).get("open", 0),
                "quarantined": lists["quarantined"],
                "unknown": self._unknown(),
            },
            "selftest": await self._selftest(),
            "tail": self._around.view.shown,
        }

    def _unknown(self) -> int:
        """Sources that no segment names, as the workers placed them at the last look."""
        places = self._around.places.places()
        return sum(count for (_tier, _segment, known), count in places.items() if not known)

    async def _selftest(self) -> dict[str, Any] | None:
        newest = await self._evidence.newest_selftest()
        if newest is None:
            return None
        return {"at": newest.at, "passed": newest.passed, "failed": len(newest.failed)}

    async def _upstreams(self) -> list[dict[str, Any]]:
        """As one worker sees them: they are the same for all."""
        answers = await self._owner.workers.tell({"do": "upstreams"}, 2.0)
        found = answers[0]["upstreams"] if answers else []
        return [
            {"address": each["name"], "zone": each["zone"], "healthy": each["state"] == "up",
             "rtt_ms": round(each["rtt"] * 1000, 1), "failures": each["failures"]}
            for each in found
        ]  # fmt: skip
