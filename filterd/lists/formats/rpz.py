"""Response policy zones (draft-vixie-dnsop-dns-rpz-00), read from a zone file.

Honoured: QNAME triggers (a name; `*.name` is what is below it, not the name) and rpz-ip triggers;
actions NXDOMAIN, NODATA and DROP (blocked), PASSTHRU (an exception), local data (an answer).
rpz-client-ip, rpz-nsip, rpz-nsdname and TCP-only are counted as unsupported: they are not about a
name or an address in an answer. The nearest trigger of a zone wins, which `precedence` applies.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from filterd.lists.entry import (
    BELOW,
    EXACT,
    EXCEPTION,
    Address,
    Dropped,
    Entry,
    Item,
    Network,
    Rewrite,
    Rule,
    Why,
)
from filterd.lists.formats import Options
from filterd.lists.lines import Lines, name_of
from filterd.wire.names import Name

_CLASSES = frozenset(("IN", "CH", "HS"))
_DATA = frozenset(("A", "AAAA", "TXT", "MX", "SRV", "PTR", "HTTPS", "SVCB", "CAA"))
_SKIPPED = frozenset(("SOA", "NS", "DNSKEY", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "ZONEMD"))


@dataclass(slots=True)
class _Zone:
    """Where the reading stands: origin, the last owner, and an open SOA parenthesis."""

    origin: str = ""
    owner: str = ""
    open: bool = False


def parse(lines: Lines, options: Options) -> Iterator[Item]:
    """Owners are relative to $ORIGIN, or to the owner of the SOA record."""
    zone = _Zone()
    for number, raw in lines:
        text = raw.partition(";")[0].rstrip() if '"' not in raw else raw.rstrip()
        if zone.open:
            zone.open = ")" not in text
            continue
        if not text.strip():
            continue
        if text.startswith("$"):
            _directive(text, zone)
            continue
        yield from _record(number, text, zone, options)


def _directive(text: str, zone: _Zone) -> None:
    words = text.split()
    if words[0].upper() == "$ORIGIN" and len(words) > 1:
        zone.origin = words[1].lower().rstrip(".")


def _record(number: int, text: str, zone: _Zone, options: Options) -> Iterator[Item]:
    words = text.split()
    if not text[0].isspace():
        zone.owner = words.pop(0).lower()
    skipped = (word.upper() in _CLASSES or word.isdigit() for word in words)
    words = words[next((at for at, skip in enumerate(skipped) if not skip), len(words)) :]
    if not words:
        yield Dropped(number, Why.SYNTAX, text)
        return
    kind, value = words[0].upper(), " ".join(words[1:])
    if kind in _SKIPPED:
        if kind == "SOA":
            zone.origin = zone.origin or ("" if zone.owner == "@" else zone.owner.rstrip("."))
            zone.open = "(" in text and ")" not in text
        return
    yield _trigger(number, text, (_relative(zone), kind, value), options)


def _relative(zone: _Zone) -> str:
    owner = zone.owner
    if owner.endswith("."):
        owner = owner[:-1]
        if zone.origin and owner.endswith("." + zone.origin):
            owner = owner.removesuffix("." + zone.origin)
    return owner


def _trigger(number: int, text: str, record: tuple[str, str, str], options: Options) -> Item:
    owner, kind, value = record
    if owner.endswith(".rpz-ip"):
        network = _network(owner.removesuffix(".rpz-ip"))
        if network is None:
            return Dropped(number, Why.SYNTAX, text)
        return Address(number, network, value.lower() == "rpz-passthru.")
    if owner.endswith((".rpz-client-ip", ".rpz-nsip", ".rpz-nsdname")):
        return Dropped(number, Why.UNSUPPORTED, text)
    flags = EXACT
    if owner.startswith("*."):
        owner, flags = owner[2:], BELOW
    name = name_of(owner)
    if isinstance(name, Why):
        return Dropped(number, name, text)
    return _action(number, text, Entry(number, name, flags), (kind, value), options)


def _action(
    number: int, text: str, entry: Entry, record: tuple[str, str], options: Options
) -> Item:
    kind, value = record
    if kind == "CNAME":
        target = value.lower()
        if target in (".", "*.", "rpz-drop."):
            return entry
        if target == "rpz-passthru.":
            return Entry(number, entry.name, entry.flags | EXCEPTION)
        if target.startswith("rpz-") or target.startswith("*."):
            return Dropped(number, Why.UNSUPPORTED, text)
        name = name_of(target)
        if isinstance(name, Why):
            return Dropped(number, name, text)
        rewrite = Rewrite(target=Name(name))
    elif kind in _DATA:
        rewrite = Rewrite(type=kind, value=value)
    else:
        return Dropped(number, Why.UNSUPPORTED, text)
    if not options.rewrites:
        return entry
    return Rule(number, text, entry.flags, name=entry.name, rewrite=rewrite)


def _network(text: str) -> Network | None:
    """`24.0.2.0.192` → 192.0.2.0/24; `48.zz.2.2001` → 2001:2::/48 (draft §4.1.1)."""
    prefix, *parts = text.split(".")
    parts.reverse()
    if len(parts) == 4 and all(part.isdigit() for part in parts):
        spelled = ".".join(parts)
    else:
        spelled = ":".join("" if part == "zz" else part for part in parts)
        spelled = ":" + spelled if spelled.startswith(":") else spelled
        spelled = spelled + ":" if spelled.endswith(":") else spelled
    try:
        return ipaddress.ip_network(f"{spelled}/{prefix}", strict=False)
    except ValueError:
        return None
