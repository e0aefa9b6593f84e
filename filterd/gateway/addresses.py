"""Addresses of public resolvers, which the firewall refuses: shipped and the school's own."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable
from pathlib import Path

from filterd.errors import ConfigError, Problem
from filterd.gateway.firewall import Network

SHIPPED = "doh_addresses.txt"
LIMIT = 100_000
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("fe80::/10", "::1/128", "fc00::/7"),
    )
)
_WIDEST = {4: 16, 6: 32}


def parse(lines: Iterable[str], file: str) -> tuple[Network, ...]:
    """One address or network a line, `#` begins a comment; ConfigError with every bad line.

    The school's own networks and networks so wide that they can only be a mistake are refused.
    """
    found: list[Network] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            found.append(_network(text.split()[0]))
        except ValueError as error:
            problems.append(Problem(file, number, text[:60], str(error)))
    if len(found) > LIMIT:
        problems.append(Problem(file, None, "(file)", f"more than {LIMIT} addresses"))
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def load(paths: Iterable[Path]) -> tuple[Network, ...]:
    """All files together; ConfigError when one cannot be read."""
    found: list[Network] = []
    for path in paths:
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([Problem(str(path), None, "(file)", str(error))]) from None
        found += parse(text.splitlines(), str(path))
    return tuple(found)


def readable(lines: Iterable[str]) -> tuple[Network, ...]:
    """The lines of a fetched list that are fit for the firewall; the others are left out."""
    found: list[Network] = []
    for line in lines:
        words = line.partition("#")[0].split()
        with contextlib.suppress(ValueError):
            found += [_network(words[0])] if words else []
    return tuple(found[:LIMIT])


def _network(text: str) -> Network:
    network = ipaddress.ip_network(text)
    if network.prefixlen < _WIDEST[network.version]:
        raise ValueError("the network is too wide to be resolvers only")
    if any(n.version == network.version and network.overlaps(n) for n in _NEVER):
        raise ValueError("this is a private network, not a public resolver")
    return network
