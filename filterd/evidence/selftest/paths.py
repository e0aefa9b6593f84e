"""How to stand where a tier's devices stand: a source address inside its segments.

A gateway has an address of its own in every segment it serves; loopback segments (the shipped
ones) can be used as they are. Where the box has no address in a segment, that tier is not measured
and the result says so: asking from elsewhere would prove something else.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from pathlib import Path

from filterd.config import Address
from filterd.evidence.selftest.checks import UNKNOWN
from filterd.policy.model import Network, Policy

Host = IPv4Address | IPv6Address
LOOPBACK = IPv4Network("127.0.0.0/8")
SEGMENT, STRANGER, NONE = "segment_address", "unassigned_address", "unreachable"


@dataclass(frozen=True, slots=True)
class Lane:
    """Source and server of one tier's questions; `via` is what the summary says about it."""

    source: str
    server: Address
    via: str


def choose(
    policy: Policy,
    servers: Iterable[Address],
    own: Iterable[Host],
    allow_from: Iterable[Network] = (),
) -> Mapping[str, Lane]:
    """For every tier id (and `unknown`) a path that can be used here; tiers without one are absent.

    `own` are the box's addresses. Longest prefix decides a segment's addresses, as it does for
    real devices.
    """
    listeners = tuple(servers)
    mine = tuple(own)
    found: dict[str, Lane] = {}
    for segment in sorted(policy.segments, key=lambda each: str(each.id)):
        inner = [s.network for s in policy.segments if _below(s.network, segment.network)]
        for host in _candidates(segment.network, mine):
            if any(host in network for network in inner):
                continue
            path = _connect(host, listeners, SEGMENT)
            if path is not None:
                found.setdefault(str(segment.tier), path)
                break
    known = [segment.network for segment in policy.segments]
    allowed = tuple(allow_from)
    for host in (*mine, ip_address("127.0.0.1")):
        stranger = not any(_holds(network, host) for network in known)
        welcome = not allowed or any(_holds(network, host) for network in allowed)
        if stranger and welcome and (path := _connect(host, listeners, STRANGER)) is not None:
            found[UNKNOWN] = path
            break
    return found


def _candidates(network: Network, own: tuple[Host, ...]) -> list[Host]:
    mine = [host for host in own if _holds(network, host)]
    if mine or not isinstance(network, IPv4Network) or not network.subnet_of(LOOPBACK):
        return mine
    return [next(iter(network.hosts()))]


def _below(inner: Network, outer: Network) -> bool:
    return inner != outer and inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _holds(network: Network, host: Host) -> bool:
    return network.version == host.version and host in network


def _connect(host: Host, listeners: tuple[Address, ...], via: str) -> Lane | None:
    try:
        return Lane(str(host), reachable(str(host), listeners), via)
    except ConnectionError:
        return None


def reachable(source: str, listeners: Sequence[Address]) -> Address:
    """A listener that this source can reach: a wildcard is asked at the source's own address.

    ConnectionError when there is none.
    """
    host = ip_address(source)
    for listener in listeners:
        server = ip_address(listener.host.partition("%")[0])
        if server.version != host.version:
            continue
        if server.is_unspecified:
            server = host
        if server.is_loopback == host.is_loopback:
            return Address(str(server), listener.port)
    raise ConnectionError(f"no listener can be reached from {source}")


def own_addresses(proc: Path = Path("/proc/net")) -> tuple[Host, ...]:
    """The addresses of this machine, loopback and link-local left out (proc(5))."""
    found: list[Host] = []
    trie = proc / "fib_trie"
    last = ""
    for line in trie.read_text("ascii").splitlines() if trie.exists() else ():
        words = line.split()
        if words[:1] == ["|--"]:
            last = words[1]
        elif "host" in words and "LOCAL" in words:
            found.append(IPv4Address(last))
    table = proc / "if_inet6"
    for line in table.read_text("ascii").splitlines() if table.exists() else ():
        found.append(IPv6Address(bytes.fromhex(line.split()[0])))
    usable = {host for host in found if not host.is_loopback and not host.is_link_local}
    return tuple(sorted(usable, key=lambda host: (host.version, int(host))))


def can_bind(source: str) -> bool:
    """Whether the kernel lets us send from this address."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((source, 0))
        except OSError:
            return False
        return True
