"""What a line of a list can say, whatever format it was written in.

Owns the values that parsers produce and the tables hold. Knows no file, no index, no category.
"""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass

from filterd.wire.names import Name

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

EXACT = 1
BELOW = 2
SUBTREE = EXACT | BELOW
EXCEPTION = 4
IMPORTANT = 8
NETWORK = 16
"""Bits of an entry's `flags`: the name itself, everything below it, `@@`, `$important`, and
NETWORK: written as an AdGuard network rule, the only kind that `$badfilter` cancels."""


class Why(enum.StrEnum):
    """Why a line was dropped; the value is what status shows and metrics count."""

    SYNTAX = "syntax"
    NOT_A_NAME = "not_a_name"
    ADDRESS = "address"
    LOCAL_NAME = "local_name"
    URL = "url"
    COSMETIC = "cosmetic"
    UNKNOWN_MODIFIER = "unknown_modifier"
    BAD_MODIFIER = "bad_modifier"
    TOO_WIDE = "too_wide"
    REGEX = "regex"
    REGEX_TOO_MANY = "regex_too_many"
    UNSUPPORTED = "unsupported"
    REWRITE_REFUSED = "rewrite_refused"
    DUPLICATE = "duplicate"
    SUFFIX = "public_suffix"
    PRIVATE_SUFFIX = "private_suffix"
    PROTECTED = "protected_name"
    CANCELLED = "badfilter"
    LONG_LINE = "long_line"
    FLOOR = "floor_exception"


@dataclass(frozen=True, slots=True)
class Entry:
    """A name and nothing else; `flags` are the bits above, `line` counts from 1."""

    line: int
    name: Name
    flags: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """A line that this filter cannot honour, with the reason."""

    line: int
    why: Why
    text: str


@dataclass(frozen=True, slots=True)
class Address:
    """A network of an address list, or an address that a rule names."""

    line: int
    network: Network
    exception: bool = False


@dataclass(frozen=True, slots=True)
class Clients:
    """`$client`: names and networks a rule is for, and those it is not for."""

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    not_names: frozenset[str] = frozenset()
    not_networks: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Only:
    """Both halves of `$ctag` or `$dnstype`: the values a rule is for, and those it is not for."""

    of: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What `$dnsrewrite`, a hosts line or RPZ local data says to answer.

    `target` is a CNAME; otherwise `rcode` (IANA name) with at most one record. `empty` is the bare
    `$dnsrewrite` of an exception: cancel all. `weak` gives way to any other rule (hosts lines,
    which AdGuard looks at only when no network rule speaks).
    """

    rcode: str = "NOERROR"
    type: str = ""
    value: str = ""
    target: Name | None = None
    empty: bool = False
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that needs more than a name.

    It applies to names that are `name` (see `flags`), or, with `pattern`, to names in which that
    RE2 expression is found, or to every name when both are None. `anchor` is a name that every
    match ends with. `modifiers` counts what narrows the rule: AdGuard prefers the narrower.
    `key` is what `$badfilter` compares.
    """

    line: int
    text: str
    flags: int
    name: Name | None = None
    pattern: str | None = None
    anchor: Name | None = None
    inverted: bool = False
    clients: Clients | None = None
    tags: Only | None = None
    types: Only | None = None
    denyallow: tuple[Name, ...] = ()
    rewrite: Rewrite | None = None
    badfilter: bool = False
    modifiers: int = 0
    key: str = ""


Item = Entry | Rule | Address | Dropped
"""One parsed line, or a part of it: a hosts line with three names gives three."""
