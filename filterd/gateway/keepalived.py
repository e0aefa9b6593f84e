"""Two boxes: keepalived's configuration for each of them, as text.

Both answer; each is master of one virtual address, and DHCP gives devices both. A box whose filter
does not answer its two canaries gives its address to the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface

from filterd.errors import ConfigError, Problem

ADVERT_S = 0.2
"""Measured: the other box takes over in 0.6 s; with VRRP's default of 1 s it takes 3 s.

The check runs once a second (keepalived knows no less) and asks twice itself, so one failure is
enough to yield.
"""
YIELD = 60
"""How much a box whose check fails falls below the other's priority (150 and 100)."""
CHECK = "/usr/bin/python3 -I -S /usr/share/filterd/canary_check.py"


@dataclass(frozen=True, slots=True)
class Pair:
    """One of two boxes. `first` is master of the first address, the other of the second."""

    interface: str
    addresses: Sequence[IPv4Interface | IPv6Interface]
    first: bool
    peer: str = ""
    router_id: int = 53


def render(pair: Pair, check: str = CHECK) -> str:
    """keepalived.conf(5); ConfigError when the addresses cannot work."""
    if not 1 <= len(pair.addresses) <= 2 or len(set(pair.addresses)) != len(pair.addresses):
        raise _problem("one or two different virtual addresses are needed, such as 10.0.10.53/24")
    if not 1 <= pair.router_id <= 254:
        raise _problem("the router id is from 1 to 254 and not used by another VRRP group")
    blocks = [_script(check)]
    for number, address in enumerate(pair.addresses):
        blocks.append(_instance(pair, number, address))
    return "\n".join(blocks)


def stop_drop_in(pair: Pair) -> str:
    """A keepalived that was killed leaves its addresses behind: systemd takes them away."""
    lines = [
        f"ExecStopPost=-/usr/sbin/ip addr del {address} dev {pair.interface}\n"
        for address in pair.addresses
    ]
    return "[Service]\nRestart=always\nRestartSec=1s\n" + "".join(lines)


def _script(check: str) -> str:
    return (
        "# Written by `filterd setup ha`.\n"
        "global_defs {\n"
        "    enable_script_security\n"
        "    script_user nobody\n"
        "    vrrp_version 3\n"
        "}\n"
        "vrrp_script filterd {\n"
        f'    script "{check}"\n'
        "    interval 1\n"
        "    timeout 1\n"
        "    fall 1\n"
        # Less, not gone: when both checks fail (two overloaded boxes), one still has the address.
        f"    weight -{YIELD}\n"
        "    rise 2\n"
        "}\n"
    )


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
        "}\n"
    )


def _problem(message: str) -> ConfigError:
    return ConfigError([Problem("keepalived.conf", None, "setup ha", message)])
