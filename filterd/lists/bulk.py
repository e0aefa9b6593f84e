"""Runs of plain lines taken many at a time: what makes four million names a matter of seconds.

A filter in front of a parser: lines that only spell a name, in the one shape a format has for
that, go straight into `Parsed`; all others reach the parser. The parser alone, without this
filter, gives the same result (held by a property test).

Keys are names spelled backwards with a dot behind ("com.example" → "elpmaxe.moc."), because a
whole block is turned round in one operation and a prefix of a key still ends at a label.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress

import re2

from filterd.lists import columns
from filterd.lists.entry import BELOW, EXACT, NETWORK, SUBTREE, Address
from filterd.lists.formats import Options
from filterd.lists.parsed import Parsed

# The last label begins with a letter, so that an address is never taken for a name here.
_NAME = rb"(?:[a-z0-9_][a-z0-9_-]{0,62}\.)++[a-z][a-z0-9-]{1,62}"
_LOCAL = b"localhost.localdomain"
_OCTET = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rb"(?:" + _OCTET + rb"(?:\." + _OCTET + rb"){3}\n)++")
# RE2, because `re` starts anew at every octet of a megabyte.
_LONG = re2.compile(rb"[^\n]{254}")
_LONG_LINES = re.compile(rb"^[^\n]{254,}", re.M)
SMALLEST_RUN = 16
"""Lines; a shorter run is left to the parser, since starting a run costs about as much."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """One plain line form: octets before the name, behind it, and the flags it means.

    `starred`: lines may begin with `*.`, which means what is below the name (RPZ). `addresses`:
    lines that are an IPv4 address and nothing else."""

    run: re.Pattern[bytes]
    before: re.Pattern[bytes] | bytes
    behind: bytes
    flags: int
    starred: bool = False
    addresses: bool = False


def _shape(before: bytes, behind: bytes, flags: int, fixed: bool = True) -> _Shape:
    head = re.escape(before) if fixed else before
    run = re.compile(rb"(?:" + head + _NAME + re.escape(behind) + rb"\n)++")
    return _Shape(run, before if fixed else re.compile(rb"^" + before, re.M), behind, flags)


_HOSTS_HEAD = rb"(?:0\.0\.0\.0|127\.0\.0\.1|::1?)[ \t]++"


_ADDRESSES = _Shape(_IPV4, b"", b"", 0, addresses=True)


def shapes(format_name: str, options: Options) -> tuple[_Shape, ...]:
    """The plain forms of a format, the most common first."""
    scope = options.scope
    if format_name == "domains":
        return (_shape(b"", b"", scope or EXACT), _ADDRESSES)
    if format_name == "ut1":
        return (_shape(b"", b"", scope or SUBTREE), _ADDRESSES)
    if format_name == "wildcard":
        return (_shape(b"*.", b"", SUBTREE), _shape(b"", b"", scope or SUBTREE))
    if format_name == "hosts":
        return (_shape(_HOSTS_HEAD, b"", scope or EXACT, fixed=False), _ADDRESSES)
    if format_name == "adblock":
        return (_shape(b"||", b"^", NETWORK | SUBTREE), _shape(b"", b"", scope or EXACT))
    if format_name == "addresses":
        return (_ADDRESSES,)
    return _configuration(format_name)


def _configuration(format_name: str) -> tuple[_Shape, ...]:
    """Forms of lists that are written as configuration of a name server."""
    if format_name == "dnsmasq":
        heads = (
            (b"local=/", b"/"),
            (b"address=/", b"/0.0.0.0"),
            (b"server=/", b"/"),
            (b"address=/", b"/"),
        )
        return tuple(_shape(head, tail, SUBTREE) for head, tail in heads)
    if format_name == "rpz":
        name = _NAME.replace(rb"++[a-z]", rb"++(?!rpz-)[a-z]")
        run = re.compile(rb"(?:(?:\*\.)?" + name + rb" cname \.\n)++")
        return (_Shape(run, b"", b" cname .", EXACT, starred=True),)
    return ()


def slow_lines(
    blocks: Iterable[bytes], forms: tuple[_Shape, ...], parsed: Parsed
) -> Iterator[tuple[int, str]]:
    """Numbered lines that no shape took; the runs that one took are in `parsed` already."""
    number = 1
    for block in blocks:
        lowered = _fit(block.lower()) if forms else b""
        position = 0
        while position < len(block):
            if lowered and (taken := _take(lowered, position, forms)):
                shape, end = taken
                number += _add(lowered[position:end], shape, number, parsed)
                position = end
                continue
            end = block.index(b"\n", position)
            yield number, block[position:end].decode("utf-8", "replace")
            position = end + 1
            number += 1
        parsed.lines = number - 1


def _fit(block: bytes) -> bytes:
    """The block with lines spoilt that look plain and are not, so that no run takes them."""
    if _LOCAL in block:
        block = block.replace(_LOCAL, b"!" * len(_LOCAL))
    if _LONG.search(block):
        block = _LONG_LINES.sub(lambda found: b"!" * len(found[0]), block)
    return block


def _take(block: bytes, position: int, forms: tuple[_Shape, ...]) -> tuple[_Shape, int] | None:
    for shape in forms:
        match = shape.run.match(block, position)
        if match and (
            match.end() == len(block) or block.count(b"\n", position, match.end()) >= SMALLEST_RUN
        ):
            return shape, match.end()
    return None


def _add(text: bytes, shape: _Shape, number: int, parsed: Parsed) -> int:
    if shape.addresses:
        return _add_addresses(text, number, parsed)
    if isinstance(shape.before, re.Pattern):
        text = shape.before.sub(b"", text)
    elif shape.before:
        text = text[len(shape.before) :].replace(b"\n" + shape.before, b"\n")
    text = text[:-1] if not shape.behind else text.replace(shape.behind + b"\n", b"\n")[:-1]
    count = text.count(b"\n") + 1
    if not shape.starred:
        parsed.add_run(shape.flags, columns.turned(text, number))
        return count
    lines = range(number, number + count)
    names = text.split(b"\n")
    starred = [name.startswith(b"*.") for name in names]
    plain = [not star for star in starred]
    for flags, wanted in ((EXACT, plain), (BELOW, starred)):
        chosen = b"\n".join(compress(names, wanted)).replace(b"*.", b"")
        if chosen:
            keys = columns.keys_of(chosen)
            parsed.add_run(flags, columns.halves(keys, list(compress(lines, wanted))))
    return count


def _add_addresses(text: bytes, number: int, parsed: Parsed) -> int:
    found = text.decode("ascii").split()
    parsed.addresses += (
        Address(line, ipaddress.IPv4Network((bytes(map(int, each.split("."))), 32)))
        for line, each in enumerate(found, number)
    )
    return len(found)
