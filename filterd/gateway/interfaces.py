"""The network interfaces of this box, as ip(8) tells them."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from dataclasses import dataclass
from typing import Any

from filterd.gateway.firewall import Network

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface, the networks on it, and whether the default route leaves through it."""

    name: str
    networks: tuple[Network, ...]
    internet: bool


def found() -> tuple[Interface, ...]:
    """Every interface but loopback; empty where ip(8) is missing."""
    routes = _ip("-j", "route", "show", "default") + _ip("-j", "-6", "route", "show", "default")
    outside = {route.get("dev") for route in routes}
    return tuple(
        Interface(item["ifname"], _networks(item.get("addr_info", [])), item["ifname"] in outside)
        for item in _ip("-j", "addr", "show")
        if "LOOPBACK" not in item.get("flags", [])
    )


def _networks(addresses: list[dict[str, Any]]) -> tuple[Network, ...]:
    return tuple(
        ipaddress.ip_interface(f"{a['local']}/{a['prefixlen']}").network
        for a in addresses
        if a.get("scope") == "global"
    )


def _ip(*arguments: str) -> list[dict[str, Any]]:
    try:
        done = subprocess.run(
            ["ip", *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        return []
    return list(json.loads(done.stdout or "[]")) if done.returncode == 0 else []
