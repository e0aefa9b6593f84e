"""Connections to the pages, under waitress: who takes many or never finishes gives way to others.

waitress counts any octet as activity and stops accepting when it is full, so that one visitor with
a hundred slow requests would keep everybody else out for ever. Knows no page.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from waitress.channel import HTTPChannel

TOTAL = 200
"""Connections at once; waitress's own limit lies above it and is never reached."""
OF_ONE_ADDRESS = 32
"""A browser keeps six; this is a computer room behind one address."""
WHOLE_SECONDS = 20.0
"""A request is whole so long after its first octet, or its connection ends."""


class Visitor(HTTPChannel):  # type: ignore[misc]
    """A connection. A new one may end the oldest that waits for its client."""

    def __init__(self, server: Any, sock: Any, addr: Any, adj: Any, map: Any = None) -> None:
        self.since = time.monotonic()
        make_room(server.active_channels.values(), addr[0], adj.trusted_proxy)
        super().__init__(server, sock, addr, adj, map=map)

    def received(self, data: bytes) -> bool:
        """Octets of the client; the time of a request begins with its first."""
        if self.request is None:
            self.since = time.monotonic()
        return bool(super().received(data))

    def readable(self) -> bool:
        """Asked once a second at least."""
        if self.request is not None and time.monotonic() - self.since > WHOLE_SECONDS:
            self.will_close = True
        return bool(super().readable())

    @property
    def waits_for_client(self) -> bool:
        """Nothing of it is in work here."""
        return not (self.requests or self.will_close)


def make_room(visitors: Iterable[Visitor], address: str, proxy: str | None) -> None:
    """Before one more of this address comes in: the oldest of its own goes when it has enough, or
    the oldest of whoever has most when the house is full. All of a trusted proxy's are others'."""
    there = [each for each in visitors if not each.will_close]
    held = Counter(each.addr[0] for each in there)
    crowded = address if held[address] >= OF_ONE_ADDRESS and address != proxy else None
    if crowded is None and len(there) >= TOTAL:
        crowded = held.most_common(1)[0][0]
    idle = [each for each in there if each.addr[0] == crowded and each.waits_for_client]
    if idle:
        min(idle, key=lambda each: each.since).will_close = True


def settle(server: Any) -> Any:
    """The server, with visitors for channels; a name of several addresses has a server for each."""
    for each in (server, *getattr(server, "map", {}).values()):
        if hasattr(each, "channel_class"):
            each.channel_class = Visitor
    return server
