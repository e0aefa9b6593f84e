"""`status.get`: how the service is, at a glance."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from typing import Any

from filterd.control.glance import Lists, at_a_glance
from filterd.control.owner import Owner
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Nothing, Route, plain
from filterd.control.timed import paused_until
from filterd.live import LivePolicy


def routes(owner: Owner, live: LivePolicy, lists: Lists) -> dict[str, Route]:
    """The methods of this noun."""
    noun = _Status(owner, live, lists)
    return {"status.get": Route(Nothing, Permission.VIEW, noun.get)}


def state_word(live: LivePolicy, ready: int, at: datetime) -> str:
    """enforcing, paused, degraded (decides, but not as it should) or exposed (cannot decide)."""
    if not ready or live.ground.index_path is None:
        return "exposed"
    if paused_until(live.running.policy, at) is not None:
        return "paused"
    return "enforcing" if live.at_trusted else "degraded"


class _Status:
    def __init__(self, owner: Owner, live: LivePolicy, lists: Lists) -> None:
        self._owner = owner
        self._live = live
        self._lists = lists
        self._since = owner.clock()

    async def get(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        now, running = self._owner.clock(), self._live.running
        states = self._owner.workers.states()
        stores = self._owner.stores
        await stores.approvals.expire(now)
        identity = running.policy.identity
        lists = at_a_glance(await self._lists.refresh(), now)
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
                "unknown": 0,
            },
            "selftest": None,
        }

    async def _upstreams(self) -> list[dict[str, Any]]:
        """As one worker sees them: they are the same for all."""
        answers = await self._owner.workers.tell({"do": "upstreams"}, 2.0)
        found = answers[0]["upstreams"] if answers else []
        return [
            {"address": each["name"], "zone": each["zone"], "healthy": each["state"] == "up",
             "rtt_ms": round(each["rtt"] * 1000, 1), "failures": each["failures"]}
            for each in found
        ]  # fmt: skip
