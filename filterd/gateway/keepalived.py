"""Two boxes: keepalived's configuration for each of them, as text.

Both answer; each is master of one virtual address, and DHCP gives devices both. A box whose filter
does not answer its two canaries, or whose policy is older, gives its address to the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface

from filterd.errors import ConfigError, Problem

ADVERT_S = 0.1
"""Measured: a dead box is replaced in 0.4 s, a dead filter in 0.4–0.6 s; with VRRP's default of 1 s
it takes 3 s and more. Three adverts that come late move an address to a box that serves as well."""
FAIL, OLD = 120, 55
"""How far a box falls (from 150 or 100) whose filter fails, and whose policy is the older one.

A failing filter weighs more than an old policy: a box that filters by yesterday's rules is better
than one that does not filter. Less, not gone: when both fail, one still has the address.
"""
CHECK = "/usr/bin/python3 -I -S /usr/share/filterd/canary_check.py"
FAILING = "/run/filterd-canary/failing"
"""Kept by `filterd-canary.service`, 5 times a second; the script is for when that is dead."""
BEHIND = "/var/lib/filterd/run/pair-behind"
"""Kept by filterd: 1 while the other box has a newer policy, or while it is not known."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One of two boxes. `first` is master of the first address, the other of the second."""

    interface: str
    addresses: Sequence[IPv4Interface | IPv6Interface]
    first: bool
    peer: str = ""
    router_id: int = 53


@dataclass(frozen=True, slots=True)
class Watched:
    """What keepalived looks at: the check's command, and two files holding 0 or 1."""

    check: str = CHECK
    failing: str = FAILING
    behind: str = BEHIND


def render(pair: Pair, watched: Watched | None = None) -> str:
    """keepalived.conf(5); ConfigError when the addresses cannot work."""
    if not 1 <= len(pair.addresses) <= 2 or len(set(pair.addresses)) != len(pair.addresses):
        raise _problem("one or two different virtual addresses are needed, such as 10.0.10.53/24")
    if not 1 <= pair.router_id <= 254:
        raise _problem("the router id is from 1 to 254 and not used by another VRRP group")
    blocks = [_watching(watched or Watched())]
    for number, address in enumerate(pair.addresses):
        blocks.append(_instance(pair, number, address))
    return "\n".join(blocks)


def stop_drop_in(pair: Pair) -> str:
    """A keepalived that was killed leaves its addresses behind: systemd takes them away."""
    lines = [
        f"ExecStopPost=-/usr/sbin/ip addr del {address} dev {pair.interface}\n"
        for address in pair.addresses
    ]
    unit = "[Unit]\nWants=filterd-canary.service\nAfter=filterd-canary.service\n"
    return unit + "[Service]\nRestart=always\nRestartSec=1s\n" + "".join(lines)


def _watching(watched: Watched) -> str:
    return (
        "# Written by `filterd setup ha`.\n"
        "global_defs {\n"
        "    enable_script_security\n"
        "    script_user nobody\n"
        "    vrrp_version 3\n"
        "}\n"
        "vrrp_script filterd {\n"
        f'    script "{watched.check}"\n'
        "    interval 1\n"
        "    timeout 1\n"
        "    fall 2\n"
        f"    weight -{FAIL}\n"
        "    rise 2\n"
        "}\n"
        + _file("filterd_failing", watched.failing, FAIL)
        + _file("filterd_behind", watched.behind, OLD)
    )


def _file(name: str, path: str, weight: int) -> str:
    """The number in the file times the weight is added to the priority (keepalived.conf(5))."""
    return f'track_file {name} {{\n    file "{path}"\n    weight -{weight}\n}}\n'


def _instance(pair: Pair, number: int, address: IPv4Interface | IPv6Interface) -> str:
    master = pair.first == (number == 0)
    unicast = f"    unicast_peer {{\n        {pair.peer}\n    }}\n" if pair.peer else ""
    return (
        f"vrrp_instance filterd{number + 1} {{\n"
        "    state BACKUP\n"
        f"    interface {pair.interface}\n"
        f"    virtual_router_id {pair.router_id + number}\n"
        f"    priority {150 if master else 100}\n"
        f"    advert_int {ADVERT_S}\n"
        f"{unicast}"
        f"    virtual_ipaddress {{\n        {address}\n    }}\n"
        "    track_script {\n        filterd\n    }\n"
        "    track_file {\n        filterd_failing\n        filterd_behind\n    }\n"
        "}\n"
    )


def _problem(message: str) -> ConfigError:
    return ConfigError([Problem("keepalived.conf", None, "setup ha", message)])
