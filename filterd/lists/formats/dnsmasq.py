"""dnsmasq configuration lines that block: `address=`, `server=`, `local=` (dnsmasq(8)).

`local=/x/`, `server=/x/` and `address=/x/` answer NXDOMAIN for x and everything below it;
`address=/x/IP` answers the address; `server=/x/#` uses the ordinary upstreams again, and the more
specific name wins over the less specific one.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from filterd.lists.entry import EXCEPTION, SUBTREE, Dropped, Entry, Item, Rewrite, Rule, Why
from filterd.lists.formats import Options
from filterd.lists.lines import Lines, name_of, without_comment
from filterd.wire.names import Name

_LINE = re.compile(r"(address|server|local|rev-server)\s*=\s*/([^\s]*)/([^/\s]*)", re.I)


def parse(lines: Lines, options: Options) -> Iterator[Item]:
    """Other directives are dropped as unsupported."""
    for number, raw in lines:
        text = without_comment(raw).removeprefix("--")
        if not text:
            continue
        match = _LINE.fullmatch(text)
        if match is None or match[1].lower() == "rev-server":
            yield Dropped(number, Why.UNSUPPORTED, raw)
            continue
        for word in match[2].split("/"):
            yield _item(number, text, word, (match[1].lower(), match[3]), options)


def _item(number: int, text: str, word: str, says: tuple[str, str], options: Options) -> Item:
    directive, value = says
    if word in ("#", ""):
        return Dropped(number, Why.TOO_WIDE, text)
    name = name_of(word.removeprefix("*.").removeprefix("."))
    if isinstance(name, Why):
        return Dropped(number, name, text)
    if directive != "address":
        if value == "#":
            return Entry(number, name, SUBTREE | EXCEPTION)
        if value:
            return Dropped(number, Why.UNSUPPORTED, text)
        return Entry(number, name, SUBTREE)
    return _address_item(number, text, name, value, options)


def _address_item(number: int, text: str, name: Name, value: str, options: Options) -> Item:
    if value in ("", "#") or not options.rewrites:
        return Entry(number, name, SUBTREE)
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return Dropped(number, Why.SYNTAX, text)
    if address.is_unspecified or address.is_loopback:
        return Entry(number, name, SUBTREE)
    kind = "A" if address.version == 4 else "AAAA"
    return Rule(number, text, SUBTREE, name=name, rewrite=Rewrite(type=kind, value=value))
