"""`portal.*`: what the page that pupils reach may know: a tier, a reason, the rules.

The address of whoever asks gives the tier and is then forgotten.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from filterd.clients.segments import Segments
from filterd.control.explain import Look, explained, typed_name
from filterd.control.glance import Lists
from filterd.control.glance import shown as shown_lists
from filterd.control.owner import Owner
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Nothing, Refusal, Route
from filterd.control.status import state_word
from filterd.live import LivePolicy
from filterd.policy import taxonomy
from filterd.policy.expect import outcome
from filterd.policy.verdict import Placement, Question

_A = 1


@dataclass(frozen=True, slots=True)
class Device:
    """The address that asks."""

    address: str


@dataclass(frozen=True, slots=True)
class Why:
    """The address that asks, and the name."""

    address: str
    name: str


class Places:
    """Finds the tier of an address in the running policy."""

    def __init__(self, live: LivePolicy) -> None:
        self._live = live
        self._made: tuple[int, Segments] | None = None

    def place(self, address: str) -> Placement:
        """Where an address belongs; Refusal `invalid` when it is none."""
        running = self._live.running
        if self._made is None or self._made[0] != running.revision:
            self._made = (running.revision, Segments(running.policy))
        try:
            packed = ipaddress.ip_address(address.partition("%")[0]).packed
        except ValueError:
            raise Refusal("invalid", "Địa chỉ không đúng", "Not an IP address") from None
        return self._made[1].place(packed)

    def tier_of(self, address: str) -> str | None:
        """The tier of an address; None when it is none."""
        try:
            return self.place(address).tier
        except Refusal:
            return None


@dataclass(frozen=True, slots=True)
class Around:
    """What the portal's methods need besides the running policy."""

    owner: Owner
    places: Places
    lists: Lists
    look: Look


def routes(live: LivePolicy, around: Around) -> dict[str, Route]:
    """The methods of this noun."""
    noun = _Portal(live, around)
    return {
        "portal.device": Route(Device, Permission.PORTAL, noun.device),
        "portal.why": Route(Why, Permission.PORTAL, noun.why),
        "portal.notice": Route(Nothing, Permission.PORTAL, noun.notice),
    }


class _Portal:
    def __init__(self, live: LivePolicy, around: Around) -> None:
        self._live = live
        self._owner, self._places = around.owner, around.places
        self._lists, self._look = around.lists, around.look

    async def device(self, caller: Caller, request: Device) -> dict[str, Any]:
        running, place = self._live.running, self._places.place(request.address)
        titles = {tier.id: tier.title for tier in running.policy.tiers}
        ready = sum(state.alive for state in self._owner.workers.states())
        return {
            "tier": place.tier,
            "title": titles.get(place.tier),
            "known": place.known,
            "revision": running.revision,
            "hash": running.hash,
            "lists": shown_lists(await self._lists.refresh(), self._owner.clock()),
            "state": state_word(self._live, ready, self._owner.clock()),
        }

    async def why(self, caller: Caller, request: Why) -> dict[str, Any]:
        name, place = typed_name(request.name), self._places.place(request.address)
        (found,), _ = await explained(
            self._live.running, Question(name, _A), [place], self._owner.clock(), self._look
        )
        origin = found.verdict.origin
        return {
            "tier": place.tier,
            "name": name,
            "verdict": outcome(found.verdict),
            "step": origin.step,
            "category": origin.category,
            "list_title": origin.list,
            "until": found.until,
        }

    async def notice(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        running, directory = self._live.running, self._owner.settings.blocklists
        return {
            "school": running.policy.identity,
            "revision": running.revision,
            "at": self._owner.clock(),
            "files": _public(running.files),
            "taxonomy": {n: (directory / n).read_text("utf-8") for n in taxonomy.FILES},
        }


def _public(files: Any) -> dict[str, str]:
    """The tiers' files alone: `school.yaml` holds devices, overrides and their authors."""
    return {name: text for name, text in files.items() if name != "school.yaml"}
