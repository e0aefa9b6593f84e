"""The system's resolvers, read from resolv.conf: what is asked when no upstream is configured."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from pathlib import Path

WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, never bound here


def resolvers(path: Path, own: frozenset[tuple[str, int]]) -> tuple[str, ...]:
    """The `nameserver` addresses of resolv.conf(5), ourselves left out; () if unreadable."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ()
    found: list[str] = []
    for line in lines:
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver" and _is_foreign(words[1], own):
            found.append(words[1])
    return tuple(dict.fromkeys(found))


def _is_foreign(address: str, own: frozenset[tuple[str, int]]) -> bool:
    """Whether asking this address on port 53 cannot come back to us."""
    try:
        ip_address(address)
    except ValueError:
        return False
    if (address, 53) in own:
        return False
    if any(host in WILDCARDS and port == 53 for host, port in own):
        return not _is_local(address)
    return True


def _is_local(address: str) -> bool:
    """Whether the address is one of this machine: only such a one can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
    return True
