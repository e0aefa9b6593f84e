"""Who is who, live: the sources of `clients` run here, and workers are told what changed."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from filterd import tasks
from filterd.clients import leases, neighbours, radius
from filterd.clients.presence import Presence, randomised
from filterd.config import Settings
from filterd.live import LivePolicy
from filterd.supervise.fleet import Fleet

_log = logging.getLogger("filterd.presence")
_ROUND_SECONDS = 1.0
"""How soon a device that the policy newly names is placed by its hardware address."""
_PAUSE_SECONDS = 0.2
"""Between two frames to the workers, however much changes."""


class PresenceWatch:
    """Runs from `start` to `stop`; the table is in RAM alone."""

    def __init__(self, settings: Settings, live: LivePolicy) -> None:
        self._settings = settings
        self._live = live
        self._latest: dict[str, str] = {}
        self._news = asyncio.Event()
        self._table = Presence(self._known, self._changed)
        self._tasks: list[asyncio.Task[Any]] = []
        self._radius: asyncio.BaseTransport | None = None

    def frame(self) -> dict[str, Any]:
        """The `neighbours` frame of the worker link (architecture §6)."""
        return {"do": "neighbours", "table": self._latest}

    def devices(self) -> list[dict[str, Any]]:
        """Each device on the wire once, with the address that tells most about its network."""
        found: dict[str, str] = {}
        for address, key in self._table.rows():
            found[key] = min(found.get(key, address), address, key=_tells)
        return [
            {"key": key, "address": address, "random": randomised(key), "last": self._last(key)}
            for key, address in found.items()
        ]

    def _last(self, key: str) -> datetime | None:
        seen = self._table.last(key)
        return None if seen is None else datetime.fromtimestamp(seen, UTC)

    async def start(self, fleet: Fleet) -> None:
        """Follow the kernel, the lease files and RADIUS, as far as the settings name them."""
        gateway = self._settings.gateway
        self._tasks.append(tasks.spawn(neighbours.watch(self._table), "neighbours"))
        if gateway.leases:
            following = leases.watch(gateway.leases, self._table, time.time)
            self._tasks.append(tasks.spawn(following, "leases"))
        if gateway.radius is not None:
            await self._listen(gateway.radius.host, gateway.radius.port)
        self._tasks.append(tasks.spawn(self._tell(fleet), "presence"))
        self._tasks.append(tasks.spawn(self._rounds(), "presence-rounds"))

    async def stop(self) -> None:
        """End every source."""
        if self._radius is not None:
            self._radius.close()
        for each in self._tasks:
            each.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self, host: str, port: int) -> None:
        """RADIUS accounting, with the secret of `keys/radius.secret`; without it, not at all."""
        path = self._settings.state_dir / "keys" / "radius.secret"
        try:
            secret = (await asyncio.to_thread(path.read_bytes)).strip()
            if not secret:
                raise OSError(f"{path} is empty")
            loop = asyncio.get_running_loop()
            self._radius, _ = await loop.create_datagram_endpoint(
                lambda: radius.Listener(secret, self._table), local_addr=(host, port)
            )
        except OSError as error:
            _log.error("no RADIUS accounting at %s port %d: %s", host, port, error)

    def _known(self) -> frozenset[str]:
        if not self._live.loaded:
            return frozenset()
        return frozenset(device.key for device in self._live.running.policy.devices)

    def _changed(self, table: dict[str, str]) -> None:
        self._latest = table
        self._news.set()

    async def _tell(self, fleet: Fleet) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await fleet.tell(self.frame())
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _rounds(self) -> None:
        while True:
            await asyncio.sleep(_ROUND_SECONDS)
            self._table.tell()


def _tells(address: str) -> tuple[bool, int]:
    """IPv4 first; an address that only holds on its link tells nothing of the network."""
    parsed = ip_address(address)
    return parsed.is_link_local, parsed.version
