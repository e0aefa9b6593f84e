"""The kernel's neighbour table by netlink: address → hardware address, IPv4 and IPv6, live.

The first source of who is who on a gateway: it is right for privacy addresses of IPv6 as well.
Knows no policy; reports to a `presence.Table`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket

from filterd.clients.presence import Table, hardware_address
from filterd.clients.rtnetlink import NEIGHBOUR_GROUP, Neighbour, read, request

SOURCE = "neighbours"
_PAUSE_S = 5.0
_DATAGRAM_BYTES = 32_768
"""The kernel makes no longer one of a table (netlink(7) advises 8,192 at least)."""
_log = logging.getLogger("filterd.clients.neighbours")


def take(one: Neighbour, table: Table) -> None:
    """One neighbour into the table; what is no address of a client is left out."""
    mac = hardware_address(one.link.hex()) if one.link is not None else None
    if mac is None or mac == "00:00:00:00:00:00":
        table.forget(SOURCE, one.address)
    else:
        table.learn(SOURCE, one.address, mac)


async def watch(table: Table) -> None:
    """Read the table and follow it until cancelled; begins anew when the kernel's queue overran."""
    while True:
        try:
            await _follow(table)
        except OSError as error:
            _log.warning("neighbour table: %s; again in %.0f s", error, _PAUSE_S)
        await asyncio.sleep(_PAUSE_S)


async def _follow(table: Table) -> None:
    loop, numbers = asyncio.get_running_loop(), itertools.count(1)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.setblocking(False)
        # Following before reading: a change during the reading comes afterwards.
        netlink.bind((0, NEIGHBOUR_GROUP))
        table.replace(SOURCE, {})
        netlink.sendto(request(next(numbers)), (0, 0))
        while True:
            datagram, (sender, _) = await loop.sock_recvfrom(netlink, _DATAGRAM_BYTES)
            if sender:  # the kernel has the number 0, and nobody else tells of neighbours
                continue
            for one in read(datagram):
                if isinstance(one, Neighbour):
                    take(one, table)
                elif one.torn:
                    netlink.sendto(request(next(numbers)), (0, 0))
