"""What may be wrong on a gateway box, read from its files: pure text in, findings out.

Looks only; knows neither settings nor how a finding is shown.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

DHCP_FILES = (
    *("/etc/dnsmasq.conf", "/etc/dnsmasq.d", "/etc/kea/kea-dhcp4.conf", "/etc/kea/kea-dhcp6.conf"),
    *("/etc/dhcp/dhcpd.conf", "/etc/dhcp/dhcpd6.conf", "/etc/radvd.conf"),
)
RIVALS = {
    "systemd-resolve": "set DNSStubListener=no in /etc/systemd/resolved.conf, then "
    "systemctl restart systemd-resolved",
    "dnsmasq": "write port=0 in /etc/dnsmasq.conf (it goes on as DHCP server), then "
    "systemctl restart dnsmasq",
    "unbound": "let it listen on 127.0.0.1@5300 (filterd setup writes that), then "
    "systemctl restart unbound",
    "named": "let BIND listen on another port, or systemctl disable --now named",
    "pihole-FTL": "systemctl disable --now pihole-FTL",
    "AdGuardHome": "systemctl disable --now AdGuardHome",
}
"""Programs that hold port 53 on such boxes, and what to do about each."""
_OPTION = re.compile(
    r"dhcp-option\s*=.*?\b(?:6|option:dns-server|option6:dns-server)\b"  # dnsmasq(8)
    r"|domain-name-servers|dns-servers|name-servers"  # dhcpd.conf(5), Kea ARM
    r"|^\s*RDNSS\b",  # radvd.conf(5)
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7})"
)
_REACH = 3
"""Kea writes the option's name and its addresses on lines of their own, next to each other."""


def public_resolvers(text: str) -> tuple[str, ...]:
    """Public addresses that a DHCP server or router advertisement hands out as resolvers."""
    lines = [re.split(r"#|//", line)[0] for line in text.splitlines()]
    found: dict[str, None] = {}
    for number, line in enumerate(lines):
        if _OPTION.search(line):
            near = " ".join(lines[number : number + (_REACH if '"' in line else 1)])
            found.update(dict.fromkeys(_public(near)))
    return tuple(found)


def _public(text: str) -> Iterator[str]:
    for match in _ADDRESS.finditer(text):
        try:
            address = ipaddress.ip_address(match[0])
        except ValueError:
            continue
        if address.is_global:
            yield match[0]


def dhcp_files(root: Path = Path("/")) -> Iterable[Path]:
    """The DHCP configuration files of this box."""
    for name in DHCP_FILES:
        path = root / name.lstrip("/")
        if path.is_dir():
            yield from sorted(p for p in path.iterdir() if p.is_file())
        elif path.is_file():
            yield path


def advice(holder: str) -> str:
    """What to do about the program that holds port 53 ("dnsmasq (pid 812)")."""
    return RIVALS.get(holder.partition(" ")[0], f"stop {holder}, or change listen.dns")
