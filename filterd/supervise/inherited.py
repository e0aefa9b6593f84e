"""Sockets that systemd opened for this process (sd_listen_fds(3)): found once, taken one by one."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from ipaddress import ip_address

from filterd.config import Address

_FIRST_FD = 3


class Inherited:
    """The sockets of $LISTEN_FDS, if they are meant for this process."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        ours = environment.get("LISTEN_PID") == str(os.getpid())
        count = int(environment.get("LISTEN_FDS", "0")) if ours else 0
        found = [socket.socket(fileno=fd) for fd in range(_FIRST_FD, _FIRST_FD + count)]
        self._sockets = [s for s in found if s.family in (socket.AF_INET, socket.AF_INET6)]

    def take(self, address: Address, kind: socket.SocketKind) -> socket.socket | None:
        """The socket bound to that address, non-blocking; None when systemd opened none."""
        wanted = (ip_address(address.host.partition("%")[0]), address.port)
        for each in self._sockets:
            host, port = each.getsockname()[:2]
            if each.type == kind and (ip_address(host.partition("%")[0]), port) == wanted:
                self._sockets.remove(each)
                each.setblocking(False)
                return each
        return None

    def left(self) -> tuple[str, ...]:
        """Addresses that systemd opened and no setting asks for; they stay open, unanswered."""
        return tuple("{0[0]} port {0[1]}".format(each.getsockname()) for each in self._sockets)
