"""Hosts files (hosts(5)): an address, then names; each name alone, never what is below it.

AdGuard Home answers the address unless it is unspecified or loopback, in which case the name is
blocked (KB "DNS filtering rules syntax", /etc/hosts-style syntax).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from filterd.lists.entry import EXACT, Dropped, Entry, Item, Rewrite, Rule, Why
from filterd.lists.formats import Options
from filterd.lists.lines import Lines, address_item, name_of, without_comment


def parse(lines: Lines, options: Options) -> Iterator[Item]:
    """Lines with names but no address are read as domains, as Pi-hole and Blocky do."""
    for number, raw in lines:
        text = without_comment(raw, "#!;")
        if text:
            yield from parse_line(number, text, options)


def parse_line(number: int, text: str, options: Options) -> Iterator[Item]:
    """Items of one line without its comment."""
    first, *names = text.split()
    address = _address(first)
    if address is None:
        names = [first, *names]
    elif not names:
        yield address_item(number, first)
        return
    scope = options.scope or EXACT
    for word in names:
        name = name_of(word)
        if isinstance(name, Why):
            yield Dropped(number, name, text)
        elif address is None or not options.rewrites or _means_blocked(address):
            yield Entry(number, name, scope)
        else:
            kind = "A" if address.version == 4 else "AAAA"
            rewrite = Rewrite(type=kind, value=str(address), weak=True)
            yield Rule(number, text, scope, name=name, rewrite=rewrite)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _means_blocked(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_unspecified or address.is_loopback
