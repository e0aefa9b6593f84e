"""`status.traffic` and `seen.clients`: counts over time by tier, and how many clients are where."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from filterd.clients.vendors import Vendors
from filterd.control.owner import Owner, limited
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Route
from filterd.live import LivePolicy
from filterd.policy.verdict import Placement
from filterd.storage.traffic import DAY, QUARTER, Cell, Traffic


class Period(enum.StrEnum):
    """How far back."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_SPANS = {
    Period.DAY: (timedelta(days=1), QUARTER, QUARTER),
    Period.WEEK: (timedelta(days=7), QUARTER, 4 * 3600),
    Period.MONTH: (timedelta(days=31), DAY, DAY),
}
"""Span, step of the stored cells, step that is shown."""


class Places(Protocol):
    """Who knows how many sources are placed where, and which devices there are."""

    def poll(self) -> Awaitable[None]:
        """Ask the workers now."""

    def places(self) -> Mapping[tuple[str, str | None, bool], int]:
        """(tier, segment, known) → number of sources."""


class Devices(Protocol):
    """Who knows the devices on the wire (RAM only)."""

    def devices(self) -> list[dict[str, Any]]:
        """Each `{key, address, random, last}`."""


class Where(Protocol):
    """Who finds the tier and segment of an address."""

    def place(self, address: str) -> Placement:
        """Where an address belongs."""


@dataclass(frozen=True, slots=True)
class OnTheWire:
    """What is known of clients, in RAM: how many are where, which devices, where they belong."""

    places: Places
    devices: Devices
    where: Where
    vendors: Vendors


@dataclass(frozen=True, slots=True)
class Ask:
    """day, week or month."""

    period: Period = Period.DAY


@dataclass(frozen=True, slots=True)
class Clients:
    """Devices on the wire; `unknown`: only those that the policy does not name."""

    search: str | None = None
    unknown: bool = False
    limit: int = 50
    after: str | None = None


def routes(owner: Owner, live: LivePolicy, wire: OnTheWire) -> dict[str, Route]:
    """The methods of these nouns."""
    noun = _Traffic(owner, live, wire)
    return {
        "status.traffic": Route(Ask, Permission.VIEW, noun.traffic),
        "seen.clients": Route(Clients, Permission.EDIT, noun.clients),
    }


class _Traffic:
    def __init__(self, owner: Owner, live: LivePolicy, wire: OnTheWire) -> None:
        self._owner = owner
        self._live = live
        self._wire = wire
        self._store = Traffic(owner.stores.database)

    async def traffic(self, caller: Caller, request: Ask) -> dict[str, Any]:
        span, stored, step = _SPANS[request.period]
        policy = self._live.running.policy
        now = self._owner.clock().astimezone(ZoneInfo(policy.time_zone))
        first = (now - span).replace(minute=0, second=0, microsecond=0)
        if stored == DAY:
            first = first.replace(hour=0)
        count = int((now - first).total_seconds() // step) + 1
        cells = await self._store.cells(stored, first)
        categories: dict[str, dict[str, int | None]] = {}
        for each in await self._store.categories(first.date().isoformat()):
            row = categories.setdefault(each.tier, {})
            row[each.category] = _sum(row.get(each.category), each.blocked)
        tiers = [tier.id for tier in policy.tiers]
        return {
            "start": first,
            "step_seconds": step,
            "tiers": {tier: _series(cells, tier, (first, step, count)) for tier in tiers},
            "categories": {tier: categories.get(tier, {}) for tier in tiers},
        }

    async def clients(self, caller: Caller, request: Clients) -> dict[str, Any]:
        await self._wire.places.poll()
        policy = self._live.running.policy
        known = {device.key: device for device in policy.devices}
        needle = (request.search or "").casefold()
        found = []
        for device in sorted(
            self._wire.devices.devices(), key=lambda d: (d["key"] in known, d["key"])
        ):
            named = known.get(device["key"])
            text = f"{device['key']} {device['address']} {named.title if named else ''}"
            if needle in text.casefold() and not (request.unknown and named):
                tier = named.tier if named else None
                found.append({**device, "tier": tier, "known": named is not None})
        start = next((i + 1 for i, d in enumerate(found) if d["key"] == request.after), 0)
        limit = limited(request.limit)
        return {
            "segments": [
                {"segment": segment, "tier": tier, "known": known_place, "clients": count}
                for (tier, segment, known_place), count in self._wire.places.places().items()
            ],
            "items": await self._placed(found[start : start + limit]),
            "more": len(found) > start + limit,
        }  # fmt: skip

    async def _placed(self, devices: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The shown devices with maker and segment; without a tier of its own, the segment's."""
        vendors = await asyncio.to_thread(self._wire.vendors.of, [d["key"] for d in devices])
        shown = []
        for device in devices:
            place = self._wire.where.place(device["address"])
            shown.append({**device, "vendor": vendors.get(device["key"]),
                          "segment": place.segment,
                          "tier": device["tier"] or place.tier})  # fmt: skip
        return shown


def _series(
    cells: list[Cell], tier: str, frame: tuple[datetime, int, int]
) -> dict[str, list[int | None]]:
    """Queries and refusals of one tier in the shown steps."""
    first, step, count = frame
    queries: list[int | None] = [None] * count
    blocked: list[int | None] = [None] * count
    for cell in cells:
        place = int((cell.start - first).total_seconds() // step)
        if cell.tier == tier and 0 <= place < count:
            queries[place] = _sum(queries[place], cell.queries)
            blocked[place] = _sum(blocked[place], cell.blocked)
    return {"queries": queries, "blocked": blocked}


def _sum(one: int | None, other: int | None) -> int | None:
    """None is what may not be shown; it adds nothing."""
    if one is None or other is None:
        return other if one is None else one
    return one + other
