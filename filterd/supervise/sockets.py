"""The listening sockets: opened once by the supervisor, inherited by every worker.

One shared socket per address: with two workers on it, killing one lost 1 query of 12,944, where
binding anew lost 260 of 4,914 (reliability measurements, appendix F).
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass, field

from filterd.config import Address, Listen
from filterd.errors import ConfigError, Problem
from filterd.supervise.holder import port_holder
from filterd.supervise.inherited import Inherited

_BACKLOG = 1024
_RECEIVE_BUFFER_BYTES = 4 << 20
_IP_FREEBIND = 15  # linux/in.h; an address may come up after the service (DAD, DHCP)


@dataclass(slots=True)
class Sockets:
    """Every listening socket by transport; `close` ends them all."""

    udp: list[socket.socket] = field(default_factory=list)
    tcp: list[socket.socket] = field(default_factory=list)
    dot: list[socket.socket] = field(default_factory=list)
    doh: list[socket.socket] = field(default_factory=list)

    def all(self) -> list[socket.socket]:
        """Every socket, in the order in which a worker is told of them."""
        return [*self.udp, *self.tcp, *self.dot, *self.doh]

    def numbers(self) -> dict[str, list[int]]:
        """File descriptor numbers by transport, as the first frame to a worker carries them."""
        return {
            "udp": [s.fileno() for s in self.udp],
            "tcp": [s.fileno() for s in self.tcp],
            "dot": [s.fileno() for s in self.dot],
            "doh": [s.fileno() for s in self.doh],
        }

    def close(self) -> None:
        """Close every socket."""
        for each in self.all():
            each.close()


def open_sockets(listen: Listen, file: str = "filterd.yaml") -> Sockets:
    """Bind everything or nothing; raises ConfigError naming each holder of a taken port.

    Sockets that systemd opened for an address are used as they are.
    """
    sockets = Sockets()
    inherited = Inherited()
    problems: list[Problem] = []
    wanted = [
        *((a, socket.SOCK_DGRAM, sockets.udp, "listen.dns") for a in listen.dns),
        *((a, socket.SOCK_STREAM, sockets.tcp, "listen.dns") for a in listen.dns),
        *((a, socket.SOCK_STREAM, sockets.dot, "listen.dot") for a in listen.dot),
        *((a, socket.SOCK_STREAM, sockets.doh, "listen.doh") for a in listen.doh),
    ]
    for address, kind, group, key in wanted:
        try:
            group.append(inherited.take(address, kind) or _open(address, kind))
        except OSError as error:
            if not _no_ipv6(address, error):
                problems.append(Problem(file, None, key, _reason(address, kind, error)))
    if not problems and listen.dns and not sockets.udp:
        problems.append(Problem(file, None, "listen.dns", "no address could be opened"))
    if problems:
        sockets.close()
        raise ConfigError(problems)
    return sockets


def _open(address: Address, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    made = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        made.bind(socket.getaddrinfo(address.host, address.port, family, kind)[0][4])
        if kind == socket.SOCK_STREAM:
            made.listen(_BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def _no_ipv6(address: Address, error: OSError) -> bool:
    """A box without IPv6 still serves the default `[::1]` entry of the settings by leaving it."""
    return address.host == "::1" and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def _reason(address: Address, kind: socket.SocketKind, error: OSError) -> str:
    transport = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
    if error.errno == errno.EADDRINUSE:
        return f"{transport} {address} is taken by {port_holder(address, kind)}"
    if error.errno == errno.EACCES:
        return f"{transport} {address}: ports below 1024 need root or CAP_NET_BIND_SERVICE"
    return f"{transport} {address} cannot be opened: {error.strerror or error}"
