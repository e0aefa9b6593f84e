"""Puts a response together: header flags, the client's own question, a body, OPT.

A response is kept as `head` (flags and counts) and `tail` (what follows the question), so that
it serves every client that asks the same in the same shape. Knows no policy.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from filterd.wire import constants as c
from filterd.wire import edns
from filterd.wire.query import Query
from filterd.wire.records import EMPTY, Body

_HEAD = struct.Struct("!5H")
_LONG = struct.Struct("!I")
_KEPT = c.RD | c.CD


class Parts(NamedTuple):
    """A response without its id and question; `ttls` are the offsets of its TTLs in `tail`."""

    head: bytes
    tail: bytes
    ttls: tuple[int, ...]


class Answer(NamedTuple):
    """What a response says: rcode (also above 15), records, EDNS options, upstream's AD."""

    rcode: int
    body: Body = EMPTY
    options: bytes = b""
    ad: bool = False


def assemble(query: Query, answer: Answer, stream: bool) -> Parts:
    """The response in the size the client takes: additional records go first, then all, with TC.

    AD is told only to clients that asked with AD or DO (RFC 6840 §5.7, §5.8); Z is never echoed,
    AA never set (we are no authority); OPT stands iff the client sent one (RFC 6891 §6.1.1).
    """
    flags = c.QR | c.RA | query.flags & _KEPT | answer.rcode & 15
    opt = b""
    if query.edns is not None:
        opt = edns.opt(answer.options, query.edns.do, answer.rcode)
    if answer.ad and (query.flags & c.AD or (query.edns is not None and query.edns.do)):
        flags |= c.AD
    body = answer.body
    octets, additionals, ttls = body.octets, body.additionals, body.ttls
    room = size_limit(query, stream) - 12 - len(query.question) - len(opt)
    if len(octets) > room >= body.plain_end:
        octets, additionals = octets[: body.plain_end], 0
        ttls = tuple(at for at in ttls if at < body.plain_end)
    if len(octets) > room:
        flags |= c.TC
        body, octets, additionals, ttls = EMPTY, b"", 0, ()
    head = _HEAD.pack(flags, 1, body.answers, body.authorities, additionals + bool(opt))
    return Parts(head, octets + opt, ttls)


def aged(body: Body, age: int, most: int) -> Body:
    """The same records with every TTL `age` seconds lower, never below 0 nor above `most`."""
    out = bytearray(body.octets)
    for at in body.ttls:
        ttl = _LONG.unpack_from(out, at)[0] - age
        _LONG.pack_into(out, at, max(0, min(ttl, most)))
    return body._replace(octets=bytes(out))


def size_limit(query: Query, stream: bool) -> int:
    """Octets the client takes: 512 without EDNS, never more than 1232 over UDP."""
    if stream:
        return 65_535
    if query.edns is None:
        return 512
    return max(512, min(query.edns.size, c.UDP_SIZE))


def refuse(wire: bytes, rcode: int) -> bytes:
    """Header-only answer to a query that could not be read; flags clean besides RD."""
    opcode = (wire[2] & 0x78) << 8
    rd = wire[2] << 8 & c.RD if not opcode else 0
    return wire[:2] + _HEAD.pack(c.QR | opcode | rd | rcode, 0, 0, 0, 0)
