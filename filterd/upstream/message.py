"""Queries to upstreams and the first judgement of their replies, on octets (PURE).

Owns the form of what filterd sends and the rules of when a reply is one at all. Knows no socket,
no clock, no randomness; never builds an object per record, never follows a pointer twice.
"""

from __future__ import annotations

import enum
import struct

from filterd.upstream.question import UpstreamQuestion
from filterd.wire import constants as iana

QUERY_BLOCK = 128
"""Queries over encrypted transports are padded to multiples of this (RFC 8467 §4.1)."""

_LETTER = bytes(0x20 if 65 <= (code & 0xDF) <= 90 else 0 for code in range(256))
_HEADER = struct.Struct("!HHHHHH")


class Fit(enum.Enum):
    """How a datagram relates to the question it might answer (RFC 5452 §9.1)."""

    GOOD = enum.auto()
    WRONG_ID = enum.auto()
    WRONG_CASE = enum.auto()
    FOREIGN = enum.auto()


def mix_case(name: bytes, chance: bytes) -> bytes:
    """`name` with the case of each letter drawn from `chance` (as long as the name); 0x20.

    Label lengths are below 64 and so never taken for letters.
    """
    letters = int.from_bytes(name.translate(_LETTER), "big")
    flipped = int.from_bytes(name, "big") ^ (letters & int.from_bytes(chance, "big"))
    return flipped.to_bytes(len(name), "big")


def build(
    question: UpstreamQuestion, ident: int, *, name: bytes, options: bytes = b"", edns: bool = True
) -> bytes:
    """The query: RD set, AD set (RFC 6840 §5.7: tell us the truth), CD as asked, OPT with 1232."""
    flags = iana.RD | iana.AD | iana.CD * question.cd
    asked = name + struct.pack("!HH", question.qtype, question.qclass)
    if not edns:
        return _HEADER.pack(ident, flags, 1, 0, 0, 0) + asked
    opt = (
        b"\0"
        + struct.pack("!HHIH", iana.OPT, iana.UDP_SIZE, iana.DO * question.do, len(options))
        + options
    )
    return _HEADER.pack(ident, flags, 1, 0, 0, 1) + asked + opt


def cookie_option(client: bytes, server: bytes) -> bytes:
    """The COOKIE option with what this upstream gave us last (RFC 7873 §4)."""
    return struct.pack("!HH", iana.OPTION_COOKIE, len(client) + len(server)) + client + server


def padding_option(length_before: int) -> bytes:
    """A Padding option that brings a message of `length_before` octets to the next 128."""
    fill = -(length_before + 4) % QUERY_BLOCK
    return struct.pack("!HH", iana.OPTION_PADDING, fill) + bytes(fill)


def fit(query: bytes, reply: bytes) -> Fit:
    """Whether `reply` answers `query` by id, QR, opcode and question; its records are not read."""
    if len(reply) < 12:
        return Fit.FOREIGN
    if reply[:2] != query[:2]:
        return Fit.WRONG_ID
    if reply[2] & 0xF8 != 0x80 or reply[4:6] != b"\0\1":
        return Fit.FOREIGN
    end = _question_end(query)
    if reply[12:end] == query[12:end]:
        return Fit.GOOD
    same = reply[12 : end - 4].lower() == query[12 : end - 4].lower()
    if same and reply[end - 4 : end] == query[end - 4 : end]:
        return Fit.WRONG_CASE
    return Fit.FOREIGN


def bare_refusal(query: bytes, reply: bytes) -> bool:
    """Whether this is the header alone with which old servers refuse OPT (RFC 6891 §7).

    It repeats no question, so it is too easily forged to be believed over UDP.
    """
    if len(reply) != 12 or reply[:2] != query[:2] or reply[2] & 0xF8 != 0x80:
        return False
    return reply[3] & 15 in (iana.FORMERR, iana.NOTIMP)


def _question_end(query: bytes) -> int:
    """Where the question of a query we built ends (no pointers in there)."""
    at = 12
    while query[at]:
        at += 1 + query[at]
    return at + 5
