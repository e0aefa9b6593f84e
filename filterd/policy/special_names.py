"""Names that are never asked upstream and that no list or override can rule.

Canaries of browsers and phones, special-use names (RFC 6761, 6762, 7686, 8375, 9476), the reverse
zones of private addresses (RFC 6303), and filterd's own test names. Knows no tier.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from filterd.policy.model import Name
from filterd.policy.verdict import Local
from filterd.wire.constants import AAAA, NOERROR, NXDOMAIN, SVCB, A

CANARY_ZONE = Name("canary.filterd.test")
ALLOWED_CANARY = Name("allowed.canary.filterd.test")
CANARY_ADDRESS = "192.0.2.1"
PROBE_PREFIX = "cloak-"
PROBES = frozenset({"rebind", "ech"})
"""Test names on no list, forwarded to our own answers (`upstream.canaries`): `cloak-<category>`
points at that category's canary, `rebind` at a private address, `ech` carries an ech parameter."""


class Kind(enum.Enum):
    """How a special name and everything below it is answered."""

    NXDOMAIN = enum.auto()
    LOCALHOST = enum.auto()
    RESOLVER = enum.auto()
    CANARY = enum.auto()


@dataclass(frozen=True, slots=True)
class Special:
    """One special name; `unless_served` steps aside for a zone that the school serves itself."""

    name: Name
    kind: Kind
    source: str
    unless_served: bool = False


def _many(names: str, kind: Kind, source: str, served: bool = False) -> tuple[Special, ...]:
    return tuple(Special(Name(name), kind, source, served) for name in names.split())


_PRIVATE_REVERSE = " ".join(
    [
        "10.in-addr.arpa 168.192.in-addr.arpa 254.169.in-addr.arpa",
        *(f"{second}.172.in-addr.arpa" for second in range(16, 32)),
        *(f"{second}.100.in-addr.arpa" for second in range(64, 128)),
        "8.e.f.ip6.arpa 9.e.f.ip6.arpa a.e.f.ip6.arpa b.e.f.ip6.arpa c.f.ip6.arpa d.f.ip6.arpa",
    ]
)
_EMPTY_REVERSE = " ".join(
    [
        "0.in-addr.arpa 127.in-addr.arpa 255.255.255.255.in-addr.arpa 2.0.192.in-addr.arpa",
        "100.51.198.in-addr.arpa 113.0.203.in-addr.arpa 8.b.d.0.1.0.0.2.ip6.arpa",
        "0." * 32 + "ip6.arpa",
        "1." + "0." * 31 + "ip6.arpa",
    ]
)
TABLE: tuple[Special, ...] = (
    *_many("use-application-dns.net", Kind.NXDOMAIN, "Firefox canary, support.mozilla.org"),
    *_many(
        "mask.icloud.com mask-h2.icloud.com mask-canary.icloud.com mask-api.icloud.com",
        Kind.NXDOMAIN,
        "iCloud Private Relay, developer.apple.com prepare-your-network",
    ),
    *_many(
        "doh.dns.apple.com doh.dns.apple.com.v.aaplimg.com doh-dns-apple-com.v.aaplimg.com",
        Kind.NXDOMAIN,
        "Apple DoH names",
    ),
    *_many("resolver.arpa", Kind.RESOLVER, "RFC 9462 section 4"),
    *_many("localhost", Kind.LOCALHOST, "RFC 6761 section 6.3"),
    *_many("invalid", Kind.NXDOMAIN, "RFC 6761 section 6.4"),
    *_many("test", Kind.NXDOMAIN, "RFC 6761 section 6.2", served=True),
    *_many("onion", Kind.NXDOMAIN, "RFC 7686 section 2"),
    *_many("alt", Kind.NXDOMAIN, "RFC 9476 section 2"),
    *_many("local", Kind.NXDOMAIN, "RFC 6762 section 22", served=True),
    *_many("home.arpa", Kind.NXDOMAIN, "RFC 8375 section 4", served=True),
    *_many("internal", Kind.NXDOMAIN, "ICANN resolution 2024-07-29 (private use)", served=True),
    *_many(_PRIVATE_REVERSE, Kind.NXDOMAIN, "RFC 6303 section 4, RFC 7793", served=True),
    *_many(_EMPTY_REVERSE, Kind.NXDOMAIN, "RFC 6303 section 4", served=True),
    Special(CANARY_ZONE, Kind.CANARY, "filterd's test names"),
)


def table(served: Iterable[Name]) -> Mapping[Name, Special]:
    """The special names in force for a school that serves these zones itself."""
    own = frozenset(served)
    return {
        special.name: special
        for special in TABLE
        if not (special.unless_served and special.name in own)
    }


def find(
    specials: Mapping[Name, Special], served: frozenset[Name], above: tuple[Name, ...]
) -> Special | None:
    """The special name that rules the first of `above` (itself and its ancestors), or None.

    A zone that the school serves below a special name wins over it (`printer.lan.home.arpa`),
    except over those that step aside for nobody.
    """
    if above and above[0].startswith("_esni."):
        return Special(above[0], Kind.NXDOMAIN, "encrypted SNI draft, retired")
    if specials.keys().isdisjoint(above):
        return None
    for place, name in enumerate(above):
        special = specials.get(name)
        if special is None:
            continue
        if special.kind is Kind.CANARY and _is_probe(above[0]):
            return None
        if special.unless_served and any(own in served for own in above[:place]):
            return None
        return special
    return None


def _is_probe(name: Name) -> bool:
    label, _, zone = name.partition(".")
    return zone == CANARY_ZONE and (label in PROBES or label.startswith(PROBE_PREFIX))


def answer(special: Special, name: Name, qtype: int, designation: tuple[str, ...]) -> Local:
    """What a special name answers; `designation` are our own SVCB values (RFC 9462), or none."""
    if special.kind is Kind.LOCALHOST:
        return _localhost(name, qtype)
    if special.kind is Kind.RESOLVER:
        if name == "_dns.resolver.arpa" and qtype == SVCB:
            return Local(NOERROR, tuple((name, "SVCB", 300, value) for value in designation))
        return Local(NOERROR)
    if special.kind is Kind.CANARY:
        records = ((name, "A", 10, CANARY_ADDRESS),) if qtype == A else ()
        return Local(NOERROR, records)
    # The apex of an empty zone exists (RFC 6303 section 3); a reserved top-level name does not.
    exists = name == special.name and name.endswith(".arpa")
    return Local(NOERROR if exists else NXDOMAIN)


def _localhost(name: Name, qtype: int) -> Local:
    if qtype == A:
        return Local(NOERROR, ((name, "A", 3600, "127.0.0.1"),))
    if qtype == AAAA:
        return Local(NOERROR, ((name, "AAAA", 3600, "::1"),))
    return Local(NOERROR)
