"""The firewall tried from inside: a test client in a network namespace that asks around the filter.

Needs root. Everything it makes carries its own name and is taken away again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from filterd.gateway.firewall import PROBE, Plan
from filterd.gateway.nft import FirewallError

NAMESPACE = PROBE
GATEWAY4, CLIENT4 = "10.255.255.253", "10.255.255.254"
GATEWAY6, CLIENT6 = "fd66:696c:7465:7264::1", "fd66:696c:7465:7264::2"
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Result:
    """What one attempt met."""

    subject: str
    good: bool
    text: str


def run(plan: Plan) -> list[Result]:
    """Every attempt, from a fresh client on an interface of its own; FirewallError without one."""
    resolvers = [str(n.network_address) for n in plan.resolvers if n.version == 4][:1]
    with _client() as six:
        command = [
            *("ip", "netns", "exec", NAMESPACE, sys.executable, "-m"),
            *("filterd.gateway.probe_client", json.dumps({"resolvers": resolvers, "six": six})),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    if done.returncode != 0:
        raise FirewallError(f"the test client failed: {done.stderr.strip()[-300:]}")
    return [Result(**item) for item in json.loads(done.stdout)]


@contextmanager
def _client() -> Iterator[bool]:
    """The namespace with its veth pair; yields whether it could be given IPv6."""
    _remove()
    try:
        _ip("netns", "add", NAMESPACE)
        _ip("link", "add", PROBE, "type", "veth", "peer", "name", "probe0", "netns", NAMESPACE)
        _ip("addr", "add", f"{GATEWAY4}/30", "dev", PROBE)
        _ip("link", "set", PROBE, "up")
        inside = ("-n", NAMESPACE)
        _ip(*inside, "addr", "add", f"{CLIENT4}/30", "dev", "probe0")
        _ip(*inside, "link", "set", "probe0", "up")
        _ip(*inside, "route", "add", "default", "via", GATEWAY4)
        yield _six(inside)
    finally:
        _remove()


def _six(inside: tuple[str, ...]) -> bool:
    try:
        _ip("addr", "add", f"{GATEWAY6}/64", "dev", PROBE, "nodad")
        _ip(*inside, "addr", "add", f"{CLIENT6}/64", "dev", "probe0", "nodad")
        _ip(*inside, "-6", "route", "add", "default", "via", GATEWAY6)
    except FirewallError:
        return False
    return True


def _remove() -> None:
    for command in (["link", "del", PROBE], ["netns", "del", NAMESPACE]):
        subprocess.run(["ip", *command], capture_output=True, timeout=TIMEOUT_S, check=False)


def _ip(*arguments: str) -> None:
    done = subprocess.run(
        ["ip", *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        raise FirewallError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
