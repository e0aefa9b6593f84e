"""Reads a client's query with one linear scan; no object per label, nothing allocated per octet.

Owns what filterd accepts as a query. Knows no answer and no policy.
"""

from __future__ import annotations

from typing import NamedTuple

from filterd.errors import WireError
from filterd.wire import constants as c

HEADER = 12
_MAX_ADDITIONAL = 16
_MAX_OPTIONS = 64


class Edns(NamedTuple):
    """The client's OPT (RFC 6891); `cookie` is its COOKIE option as sent, empty if it sent none.

    `bare`: it holds no option, or one Padding and nothing else.
    """

    size: int
    version: int
    do: bool
    cookie: bytes = b""
    keepalive: bool = False
    padding: bool = False
    bare: bool = False


class Query(NamedTuple):
    """One readable query. `question` is as sent; `key` is the same with the name in lower case.

    Both are name, type and class in wire form; `name_wire` is the lower-case name alone.
    """

    flags: int
    question: bytes
    key: bytes
    name_wire: bytes
    qtype: int
    qclass: int
    edns: Edns | None


def parse_query(wire: bytes) -> Query:
    """The query in `wire`; WireError carries the rcode to answer, or None: drop it silently.

    Dropped: shorter than a header, or a response (QR). NOTIMP: any opcode but QUERY. FORMERR:
    QDCOUNT other than 1 (RFC 9619), a name that is compressed or too long, records that do not
    fit, two OPTs or one not at the root (RFC 6891 §6.1.1), octets behind the message.
    """
    size = len(wire)
    if size < HEADER:
        raise WireError(None, "shorter than a header")
    flags = wire[2] << 8 | wire[3]
    if flags & c.QR:
        raise WireError(None, "a response, not a query")
    if flags & 0x7800:
        raise WireError(c.NOTIMP, "opcode other than QUERY")
    if wire[4:10] != b"\0\1\0\0\0\0":
        raise WireError(c.FORMERR, "not exactly one question and nothing answered")
    end = _name_end(wire, HEADER, size)
    if end + 4 > size:
        raise WireError(c.FORMERR, "the question ends early")
    additional = wire[10] << 8 | wire[11]
    edns = _additional(wire, end + 4, additional) if additional else None
    if not additional and end + 4 != size:
        raise WireError(c.FORMERR, "octets behind the message")
    name = wire[HEADER:end].lower()
    rest = wire[end : end + 4]
    return Query(
        flags=flags,
        question=wire[HEADER : end + 4],
        key=name + rest,
        name_wire=name,
        qtype=rest[0] << 8 | rest[1],
        qclass=rest[2] << 8 | rest[3],
        edns=edns,
    )


def _name_end(wire: bytes, position: int, size: int) -> int:
    """Offset behind an uncompressed name that starts at `position`."""
    start = position
    while position < size:
        length = wire[position]
        position += length + 1
        if length == 0:
            if position - start > 255:
                raise WireError(c.FORMERR, "a name longer than 255 octets")
            return position
        if length > 63:
            raise WireError(c.FORMERR, "a compressed name in a question")
    raise WireError(c.FORMERR, "a name that does not end")


def _additional(wire: bytes, position: int, count: int) -> Edns | None:
    if count > _MAX_ADDITIONAL:
        raise WireError(c.FORMERR, "more additional records than a query needs")
    size = len(wire)
    edns: Edns | None = None
    for _ in range(count):
        start = position
        position = _owner_end(wire, position, size) + 10
        if position > size:
            raise WireError(c.FORMERR, "an additional record ends early")
        rtype = wire[position - 10] << 8 | wire[position - 9]
        end = position + (wire[position - 2] << 8 | wire[position - 1])
        if end > size:
            raise WireError(c.FORMERR, "an RDLENGTH behind the end")
        if rtype == c.OPT:
            if edns is not None or wire[start] != 0:
                raise WireError(c.FORMERR, "two OPT records, or one not at the root")
            edns = _edns(wire, position, end)
        position = end
    if position != size:
        raise WireError(c.FORMERR, "octets behind the message")
    return edns


def _owner_end(wire: bytes, position: int, size: int) -> int:
    """Offset behind a record's owner, which may end in a pointer to an earlier place."""
    start = position
    while position < size:
        length = wire[position]
        if length >= 0xC0:
            if position + 1 >= size or (length & 0x3F) << 8 | wire[position + 1] >= start:
                raise WireError(c.FORMERR, "a pointer that does not point backwards")
            return position + 2
        if length > 63 or position - start > 255:
            raise WireError(c.FORMERR, "a label that does not exist")
        position += length + 1
        if length == 0:
            return position
    raise WireError(c.FORMERR, "a name that does not end")


def _edns(wire: bytes, position: int, end: int) -> Edns:
    """The OPT whose RDATA is wire[position:end]; its fixed part stands just before."""
    size = wire[position - 8] << 8 | wire[position - 7]
    version = wire[position - 5]
    do = bool(wire[position - 4] & 0x80)
    if position == end:
        return Edns(size, version, do, bare=True)
    found = _options(wire, position, end)
    cookie = found.get(c.OPTION_COOKIE, b"")
    if c.OPTION_COOKIE in found and len(cookie) != 8 and not 16 <= len(cookie) <= 40:
        raise WireError(c.FORMERR, "a COOKIE of impossible length (RFC 7873 §5.2.2)")
    keepalive, padding = c.OPTION_KEEPALIVE in found, c.OPTION_PADDING in found
    bare = padding and end - position == 4 + len(found[c.OPTION_PADDING])
    return Edns(size, version, do, cookie, keepalive, padding, bare)


def _options(wire: bytes, position: int, end: int) -> dict[int, bytes]:
    """Options by code; of one sent twice the first counts (RFC 7873 §5.2 for COOKIE)."""
    found: dict[int, bytes] = {}
    for _ in range(_MAX_OPTIONS):
        start = position + 4
        if start > end:
            break
        code = wire[position] << 8 | wire[position + 1]
        position = start + (wire[position + 2] << 8 | wire[position + 3])
        if position > end:
            break
        found.setdefault(code, wire[start:position])
        if position == end:
            return found
    raise WireError(c.FORMERR, "EDNS options that do not fit, or more than 64")
