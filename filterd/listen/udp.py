"""One UDP socket on the event loop: drain, let the handler answer what the memo could not.

Owns the socket's options and the order of service: what the memo can answer overtakes what the
handler must look at, and of that each source gets its turn. Knows no message.
"""

from __future__ import annotations

import asyncio
import socket
import time

from filterd.listen.drain import BATCHES, Drain, Waiting, open_drain
from filterd.listen.standby import readers
from filterd.metrics import layout
from filterd.metrics.counters import Counters
from filterd.resolve.backlog import Backlog
from filterd.resolve.forwarding import Forwarding
from filterd.resolve.handler import Handler
from filterd.resolve.memo import Memo
from filterd.resolve.via import Via

_TURN = 8
"""Queries for the handler between two looks at the clock."""
_SLICE_SECONDS = 0.002
"""Then timers, TCP and upstreams get their turn."""
_REFUSALS = layout.single_place("dropped_malformed"), layout.RCODES_AT
_DROPPED_BUSY = layout.single_place("dropped_busy")
_DROPPED_SEND = layout.single_place("dropped_send")
# linux/in.h, linux/in6.h; the socket module does not name all of them
_IP_PKTINFO = 8
_IP_MTU_DISCOVER = 10
_IPV6_MTU_DISCOVER = 23
_IPV6_RECVPKTINFO = 49
_PMTUDISC_OMIT = 5


class UdpListener:
    """Serves a bound socket until `close`."""

    def __init__(
        self,
        sock: socket.socket,
        memo: Memo,
        handler: Handler,
        count: Counters,
        forwarding: Forwarding | None = None,
    ) -> None:
        set_options(sock)
        self._socket = sock
        self._handler = handler
        self._values = count.values
        self._via = Via(layout.UDP, self._send)
        number = forwarding.enlist(self._via) if forwarding is not None else 0
        forward = forwarding.forward if forwarding is not None else None
        self._drain: Drain = open_drain(sock.fileno(), memo, _REFUSALS, forward, number)
        self._loop = asyncio.get_running_loop()
        self._backlog: Backlog[Waiting] = Backlog()
        self._scheduled = False
        handler.between.add(self._glance)
        self._readers = readers(self._loop)
        self._readers.add(self._drain, self._readable)

    def close(self) -> None:
        """Stop reading and answer what was read; the socket belongs to whoever opened it."""
        self._readers.remove(self._drain)
        self._take(0)
        self._handler.between.remove(self._glance)
        while self._backlog:
            self._turn()

    def _readable(self) -> None:
        self._take(BATCHES)
        if self._backlog and not self._scheduled:
            self._work()

    def _glance(self) -> None:
        """In the middle of other work: hits are answered, the handler's wait for their turn."""
        self._take(BATCHES)
        if self._backlog and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._work)

    def _take(self, batches: int) -> None:
        lost = self._backlog.add([(each[1], each) for each in self._drain.run(batches)])
        if lost:
            self._values[_DROPPED_BUSY] += lost

    def _work(self) -> None:
        self._scheduled = True  # a glance in between need not do so
        until = time.monotonic() + _SLICE_SECONDS
        while self._backlog:
            if self._turn() > until and self._backlog:
                self._loop.call_soon(self._work)
                return
        self._scheduled = False

    def _turn(self) -> float:
        """Let the handler answer a few; when that began."""
        now = time.monotonic()
        for _ in range(min(_TURN, len(self._backlog))):
            wire, source, token = self._backlog.take()
            response = self._handler.try_answer(wire, source, now, self._via, token)
            if response is not None:
                self._send(response, token)
            self._handler.between()
        return now

    def _send(self, response: bytes, token: object) -> None:
        if not isinstance(token, bytes) or not self._drain.send(token, response):
            self._values[_DROPPED_SEND] += 1


def set_options(sock: socket.socket) -> None:
    """Never fragment, never learn a path MTU from strangers (RFC 9715 §3.1); reply from the
    address that was asked when the socket listens on all of them."""
    sock.setblocking(False)
    wildcard = sock.getsockname()[0] in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_OMIT)
        if wildcard:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)
        return
    sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_OMIT)
    if wildcard:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
