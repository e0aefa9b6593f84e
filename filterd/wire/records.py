"""Walks a whole reply into records, and writes records back into a message body.

The reader is for octets that a hostile server may have chosen: one pass, hard caps, pointers
strictly backwards, nothing re-emitted that was not walked. Knows no policy and no cache.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from filterd.errors import WireError
from filterd.wire import constants as c

MAX_RECORDS = 512
_MAX_NAME_OCTETS = 65_535
_MAX_LABELS = 8192
"""Labels walked in one message: 512 records with eight each, twice."""
_MAX_HOPS = 32
_HEADER = struct.Struct("!6H")
_FIXED = struct.Struct("!HHIH")
_POINTER = struct.Struct("!H")

# RDATA that may hold compressed names (RFC 1035 §4.1.4, RFC 3597 §4): octets before the names,
# number of names.
_NAMES_IN: dict[int, tuple[int, int]] = {
    c.NS: (0, 1), c.MD: (0, 1), c.MF: (0, 1), c.CNAME: (0, 1), c.SOA: (0, 2), c.MB: (0, 1),
    c.MG: (0, 1), c.MR: (0, 1), c.PTR: (0, 1), c.MINFO: (0, 2), c.MX: (2, 1), c.RP: (0, 2),
    c.AFSDB: (2, 1), c.RT: (2, 1), c.SIG: (18, 1), c.PX: (2, 2), c.NXT: (0, 1), c.SRV: (6, 1),
    c.KX: (2, 1), c.DNAME: (0, 1),
}  # fmt: skip
_TO_QUESTION = b"\xc0\x0c"
_COMPRESSED_OUT = frozenset({c.NS, c.CNAME, c.SOA, c.PTR, c.MX})


class Record(NamedTuple):
    """One resource record; `owner` and names in `rdata` are whole wire names, case kept."""

    owner: bytes
    rtype: int
    rclass: int
    ttl: int
    rdata: bytes


class Message(NamedTuple):
    """A reply after the walk. `rcode` has the upper bits of OPT; `options` is OPT's RDATA."""

    flags: int
    rcode: int
    question: bytes
    answer: tuple[Record, ...]
    authority: tuple[Record, ...]
    additional: tuple[Record, ...]
    options: bytes | None


class Body(NamedTuple):
    """What follows the question: record octets, section counts, offsets of every TTL field.

    Offsets and `plain_end` (where the additional section begins) count from the start of
    `octets`. Compression pointers are right behind a question of the same length only.
    """

    answers: int
    authorities: int
    additionals: int
    octets: bytes
    ttls: tuple[int, ...]
    plain_end: int


EMPTY = Body(0, 0, 0, b"", (), 0)


def parse_reply(wire: bytes) -> Message:
    """Every record of a reply; WireError when anything does not fit or a cap is passed."""
    return read_reply(wire)[0]


def read_reply(wire: bytes) -> tuple[Message, int]:
    """The same, and where its last record ends."""
    if len(wire) < 12:
        raise WireError(c.SERVFAIL, "shorter than a header")
    _, flags, questions, *counts = _HEADER.unpack_from(wire)
    if questions != 1 or sum(counts) > MAX_RECORDS:
        raise WireError(c.SERVFAIL, "not one question, or more records than are inspected")
    walk = _Walk(wire)
    name = walk.name()
    start, walk.position = walk.position, walk.position + 4
    if walk.position > len(wire):
        raise WireError(c.SERVFAIL, "the question ends early")
    answer = walk.section(counts[0])
    authority = walk.section(counts[1])
    additional = walk.section(counts[2])
    rcode = flags & 15
    options: bytes | None = None
    if not additional:
        message = Message(flags, rcode, name + wire[start : start + 4], answer, authority, (), None)
        return message, walk.position
    for record in additional:
        if record.rtype == c.OPT:
            if options is not None or record.owner != b"\0":
                raise WireError(c.SERVFAIL, "two OPT records, or one not at the root")
            options = record.rdata
            rcode |= record.ttl >> 24 << 4
    rest = tuple([record for record in additional if record.rtype != c.OPT])
    question = name + wire[start : start + 4]
    message = Message(flags, rcode, question, answer, authority, rest, options)
    return message, walk.position


def render(question: bytes, *sections: tuple[Record, ...]) -> Body:
    """The body of a message with this question; owners and well-known names are compressed."""
    out = bytearray(12) + question
    table: dict[bytes, int] = {}
    _note(table, question[:-4], 12)
    base = len(out)
    ttls: list[int] = []
    plain_end = 0
    for number, section in enumerate(sections):
        if number == 2:
            plain_end = len(out) - base
        for record in section:
            _write_name(out, record.owner, table)
            ttls.append(len(out) - base + 4)
            out += _FIXED.pack(record.rtype, record.rclass, record.ttl, 0)
            start = len(out)
            if record.rtype in _COMPRESSED_OUT:
                _write_rdata(out, record, table)
            else:
                out += record.rdata
            _POINTER.pack_into(out, start - 2, len(out) - start)
    counts = [len(section) for section in sections] + [0, 0, 0]
    octets = bytes(out[base:])
    if len(sections) < 3:
        plain_end = len(octets)
    return Body(counts[0], counts[1], counts[2], octets, tuple(ttls), plain_end)


class _Walk:
    """The reader's position in one message, and the names it has already decoded."""

    __slots__ = ("_budget", "_labels", "_names", "position", "wire")

    def __init__(self, wire: bytes) -> None:
        self.wire = wire
        self.position = 12
        self._names: dict[int, bytes] = {}
        self._budget = _MAX_NAME_OCTETS
        self._labels = _MAX_LABELS

    def section(self, count: int) -> tuple[Record, ...]:
        """The next `count` records."""
        return tuple([self._record() for _ in range(count)]) if count else ()

    def name(self) -> bytes:
        """The name at the position, decompressed; the position moves behind it."""
        wire, position = self.wire, self.position
        parts: list[bytes] = []
        floor = position
        behind = 0
        length = hops = 0
        try:
            while octet := wire[position]:
                if octet < 64:
                    parts.append(wire[position : position + octet + 1])
                    length += octet + 1
                    position += octet + 1
                    continue
                target = (octet & 0x3F) << 8 | wire[position + 1]
                hops += 1
                # strictly backwards, and below the start of what was read: no loop is possible
                if octet < 0xC0 or target >= floor or target < 12 or hops > _MAX_HOPS:
                    raise WireError(c.SERVFAIL, "a pointer that does not point backwards")
                behind = behind or position + 2
                floor = position = target
                if (known := self._names.get(target)) is not None:
                    parts.append(known)
                    length += len(known) - 1
                    break
            else:
                parts.append(b"\0")
                position += 1
        except IndexError:
            raise WireError(c.SERVFAIL, "a name that does not end") from None
        name = b"".join(parts)
        self._budget -= len(name)
        self._labels -= len(parts)
        if length > 254 or self._budget < 0 or self._labels < 0 or len(name) != length + 1:
            raise WireError(c.SERVFAIL, "a name that is too long, or too many of them")
        self._names[self.position] = name
        self.position = behind or position
        return name

    def _record(self) -> Record:
        wire = self.wire
        # nearly every owner is a pointer to the question: no walk for those
        if wire[self.position : self.position + 2] == _TO_QUESTION:
            owner = self._names[12]
            self._budget -= len(owner)
            if self._budget < 0:
                raise WireError(c.SERVFAIL, "too many names")
            start = self.position + 12
        else:
            owner = self.name()
            start = self.position + 10
        if start > len(wire):
            raise WireError(c.SERVFAIL, "a record ends early")
        rtype, rclass, ttl, length = _FIXED.unpack_from(wire, start - 10)
        end = start + length
        if end > len(wire):
            raise WireError(c.SERVFAIL, "an RDLENGTH behind the end")
        if rtype in _NAMES_IN:
            rdata = self._rdata(rtype, start, end)
        else:
            rdata = wire[start:end]
            if (rtype == c.A and length != 4) or (rtype == c.AAAA and length != 16):
                raise WireError(c.SERVFAIL, "an address of the wrong length")
        self.position = end
        return Record(owner, rtype, rclass, ttl, rdata)

    def _rdata(self, rtype: int, start: int, end: int) -> bytes:
        fixed, names = _NAMES_IN[rtype]
        self.position = start + fixed
        parts = [self.wire[start : self.position]]
        for _ in range(names):
            parts.append(self.name())
        if self.position > end:
            raise WireError(c.SERVFAIL, "a name that leaves its RDATA")
        parts.append(self.wire[self.position : end])
        if rtype not in (c.SOA, c.SIG, c.NXT) and self.position != end:
            raise WireError(c.SERVFAIL, "octets behind a name in RDATA")
        if rtype == c.SOA and end - self.position != 20:
            raise WireError(c.SERVFAIL, "an SOA of the wrong length")
        return b"".join(parts)


def _note(table: dict[bytes, int], name: bytes, offset: int) -> None:
    """Remember every suffix of an uncompressed name that stands at `offset`."""
    lower = name.lower()
    position = 0
    while length := lower[position]:
        table.setdefault(lower[position:], offset + position)
        position += length + 1


def _write_name(out: bytearray, name: bytes, table: dict[bytes, int]) -> None:
    lower = name.lower()
    position = 0
    while length := lower[position]:
        suffix = lower[position:]
        known = table.get(suffix)
        if known is not None:
            out += _POINTER.pack(0xC000 | known)
            return
        if len(out) < 0x3FFF:
            table[suffix] = len(out)
        out += name[position : position + length + 1]
        position += length + 1
    out.append(0)


def _write_rdata(out: bytearray, record: Record, table: dict[bytes, int]) -> None:
    fixed, names = _NAMES_IN[record.rtype]
    rdata = record.rdata
    out += rdata[:fixed]
    position = fixed
    for _ in range(names):
        end = name_end(rdata, position)
        _write_name(out, rdata[position:end], table)
        position = end
    out += rdata[position:]


def name_end(octets: bytes, position: int) -> int:
    """Offset behind the uncompressed, already checked name at `position`."""
    while length := octets[position]:
        position += length + 1
    return position + 1
