"""From the text of an upstream to something that can be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from filterd.upstream.attempt import Transport
from filterd.upstream.endpoint import Endpoint, Scheme
from filterd.upstream.habits import Habits
from filterd.upstream.health import Health
from filterd.upstream.sockets import Sockets
from filterd.upstream.stream import Dial, Stream
from filterd.upstream.udp import Udp
from filterd.upstream.upstream import Upstream


def plain_dial(address: str, port: int) -> Dial:
    """Connects by TCP, no questions asked."""

    async def dial(factory: Callable[[], asyncio.BufferedProtocol]) -> asyncio.BufferedProtocol:
        loop = asyncio.get_running_loop()
        _transport, protocol = await loop.create_connection(factory, address, port)
        return protocol

    return dial


def build_upstream(endpoint: Endpoint, sockets: Sockets, zone: bytes | None) -> Upstream:
    """The upstream with its transport; nothing is connected before the first question."""
    habits = Habits()
    transport: Transport
    address = endpoint.addresses[0]
    tcp = Stream(plain_dial(address, endpoint.port), "tcp", habits)
    transport = tcp
    if endpoint.scheme is Scheme.UDP:
        transport = Udp((address, endpoint.port), sockets, tcp, habits)
    return Upstream(endpoint, transport, habits, Health(), zone)
