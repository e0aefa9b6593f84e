"""The kernel's neighbour table by netlink: address → hardware address, IPv4 and IPv6, live.

The first source of who is who on a gateway: it is right for privacy addresses of IPv6 as well.
Knows no policy; reports to a `presence.Table`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import RTMGRP_NEIGH

from filterd.clients.presence import Table, hardware_address

SOURCE = "neighbours"
VALID = 0x02 | 0x04 | 0x08 | 0x10 | 0x80
"""States that hold a hardware address (rtnetlink(7)): reachable, stale, delay, probe, permanent."""
_PAUSE_S = 5.0
_log = logging.getLogger("filterd.clients.neighbours")


def take(message: Mapping[str, Any], table: Table) -> None:
    """One neighbour message into the table; what is no address of a client is left out."""
    address, key = message.get("NDA_DST"), message.get("NDA_LLADDR")
    if not isinstance(address, str):
        return
    mac = hardware_address(key) if isinstance(key, str) else None
    gone = message.get("event") == "RTM_DELNEIGH" or not int(message.get("state") or 0) & VALID
    if gone or mac is None or mac == "00:00:00:00:00:00":
        table.forget(SOURCE, address)
    else:
        table.learn(SOURCE, address, mac)


async def watch(table: Table) -> None:
    """Read the table and follow it until cancelled; begins anew when the kernel's queue overran."""
    while True:
        try:
            await _follow(table)
        except (OSError, NetlinkError) as error:
            _log.warning("neighbour table: %s; again in %.0f s", error, _PAUSE_S)
        await asyncio.sleep(_PAUSE_S)


async def _follow(table: Table) -> None:
    async with AsyncIPRoute() as netlink:
        # Following before reading: a change during the reading comes afterwards.
        await netlink.bind(groups=RTMGRP_NEIGH)
        table.replace(SOURCE, {})
        async for message in await netlink.get_neighbours():
            take(message, table)
        while True:
            async for message in netlink.get():
                take(message, table)
