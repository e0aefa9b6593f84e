"""One UDP socket on the event loop: drain, let the handler answer what the memo could not.

Owns the socket's options. Knows no message.
"""

from __future__ import annotations

import asyncio
import socket
import time

from filterd.listen.drain import Drain, Memo, open_drain
from filterd.metrics import layout
from filterd.metrics.counters import Counters
from filterd.resolve.handler import Handler
from filterd.resolve.via import Via

BATCHES = 4
"""Drains of 64 in one wake-up; TCP, timers and upstreams get their turn in between."""
_DROPPED_SEND = layout.single_place("dropped_send")
# linux/in.h, linux/in6.h; the socket module does not name all of them
_IP_PKTINFO = 8
_IP_MTU_DISCOVER = 10
_IPV6_MTU_DISCOVER = 23
_IPV6_RECVPKTINFO = 49
_PMTUDISC_OMIT = 5


class UdpListener:
    """Serves a bound socket until `close`."""

    def __init__(self, sock: socket.socket, memo: Memo, handler: Handler, count: Counters) -> None:
        set_options(sock)
        self._socket = sock
        self._drain: Drain = open_drain(sock.fileno(), memo)
        self._handler = handler
        self._values = count.values
        self._via = Via(layout.UDP, self._send)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._readable)

    def close(self) -> None:
        """Stop reading; the socket itself belongs to whoever opened it."""
        self._loop.remove_reader(self._socket)

    def _readable(self) -> None:
        waiting = self._drain.run(BATCHES)
        if not waiting:
            return
        now = time.monotonic()
        for wire, source, token in waiting:
            response = self._handler.try_answer(wire, source, now, self._via, token)
            if response is not None:
                self._send(response, token)

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
