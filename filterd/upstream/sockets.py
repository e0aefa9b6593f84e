"""UDP sockets that live for one exchange, watched by one epoll of our own.

An asyncio datagram endpoint costs a transport, a protocol and 256 KiB per receive; here a query
costs one connected socket and one dictionary entry. Knows no DNS.
"""

from __future__ import annotations

import asyncio
import resource
import select
import socket
from collections.abc import Callable
from typing import Protocol

from filterd.errors import UpstreamError
from filterd.wire import constants as iana

RECEIVE_BYTES = 4096
_SLICE_SECONDS = 0.002
_OTHERS = 1500
Socket = socket.SocketType
"""The socket without the module's Python layer, which costs as much as the kernel's work."""
_KIND = int(socket.SOCK_DGRAM) | socket.SOCK_NONBLOCK
_INET, _INET6 = int(socket.AF_INET), int(socket.AF_INET6)
_READABLE = select.EPOLLIN


class Receiver(Protocol):
    """Who is told about a socket's datagrams and errors."""

    def on_readable(self) -> None:
        """Something can be received, an ICMP error too."""


class Sockets:
    """Opens sockets connected to one address each; at most `limit` at a time, and never the last
    of this process's descriptors, which clients over TCP need."""

    def __init__(self, limit: int = 8192) -> None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._limit = min(limit, max(soft // 2, soft - _OTHERS))
        self._receivers: dict[int, Receiver] = {}
        self._epoll = select.epoll()
        self._loop = asyncio.get_running_loop()
        self.between: Callable[[], None] = lambda: None
        """Called after each receiver: others may look after what cannot wait."""
        self._loop.add_reader(self._epoll.fileno(), self._on_events)

    def __len__(self) -> int:
        return len(self._receivers)

    def open(self, address: tuple[str, int], receiver: Receiver) -> Socket:
        """A socket with a port that the kernel drew at random, accepting from `address` only.

        Connected sockets take no datagram of another source (RFC 5452 §9.1) and are told of
        ICMP errors. Raises UpstreamError: EDE 23 without a route, EDE 0 when this machine is
        out of sockets, which says nothing about the upstream.
        """
        if len(self._receivers) >= self._limit:
            raise UpstreamError("too many exchanges under way", iana.EDE_OTHER)
        try:
            sock = Socket(_INET6 if ":" in address[0] else _INET, _KIND)
        except OSError as error:
            raise UpstreamError(f"no socket: {error.strerror}", iana.EDE_OTHER) from error
        number = sock.fileno()
        try:
            sock.connect(address)
            self._epoll.register(number, _READABLE)
        except OSError as error:
            sock.close()
            raise UpstreamError(f"{address[0]}: {error.strerror}", iana.EDE_NETWORK) from error
        self._receivers[number] = receiver
        return sock

    def release(self, sock: Socket) -> None:
        """Close a socket of `open`; the kernel takes it out of the epoll by itself."""
        self._receivers.pop(sock.fileno(), None)
        sock.close()

    def close(self) -> None:
        """Stop watching; the exchanges still open are the owners' to cancel before."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _on_events(self) -> None:
        until = self._loop.time() + _SLICE_SECONDS
        for fileno, _events in self._epoll.poll(0, 64):
            receiver = self._receivers.get(fileno)
            if receiver is not None:
                receiver.on_readable()
                self.between()
            if self._loop.time() > until:
                return  # clients get their turn; what was not read is still readable
