"""Walking a reply from its first octet to its last: is it one, and what is in it (PURE).

Linear work whatever the pointers do: `wire.records` walks each reply once, for the pool and for
the cache. Knows no question and no transport.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from filterd.errors import WireError
from filterd.wire import constants as iana
from filterd.wire.records import Message, read_reply

MAX_STEPS = 256
"""Labels (≤ 127) and pointers that one name may take; no honest name comes near."""
_RECORD = struct.Struct("!HHIH")


class Facts(NamedTuple):
    """What the pool needs to know of a reply; `end` is where its last record ends.

    `message` is the reply as it was walked, so that nobody walks it again.
    """

    rcode: int
    truncated: bool
    end: int
    has_opt: bool
    cookie: bytes | None
    ede: int | None
    message: Message


def inspect(wire: bytes) -> Facts | None:
    """Walk the whole message; None if it does not parse or is beyond the caps.

    Strict where a lie could hide: pointers only backwards (RFC 9267 §2), names ≤ 255 octets,
    RDLENGTH inside the message, one OPT at the root, at most MAX_RECORDS records.
    """
    try:
        message, end = read_reply(wire)
        cookie, ede = _options(message.options) if message.options else (None, None)
    except (WireError, ValueError, struct.error):
        return None
    truncated = bool(message.flags & iana.TC)
    return Facts(message.rcode, truncated, end, message.options is not None, cookie, ede, message)


def clip(wire: bytes, zone: bytes) -> bytes:
    """`wire` without the records an upstream of `zone` has no say in (bailiwick).

    Sections are cut at their first foreign record: pointers only lead backwards, so what stays
    stays readable. The OPT is kept; the rest of the additional section goes.
    """
    known: dict[int, int] = {}
    at = _skip_name(wire, 12, known) + 4
    answers, authorities, additional = struct.unpack_from("!HHH", wire, 6)
    at, kept_answers = _own_run(wire, at, answers, zone, known)
    kept_authorities = 0
    if kept_answers == answers:
        at, kept_authorities = _own_run(wire, at, authorities, zone, known)
    opt = _opt_octets(wire, answers + authorities + additional)
    counts = struct.pack("!HHH", kept_answers, kept_authorities, 1 if opt else 0)
    return wire[:6] + counts + wire[12:at] + opt


def _own_run(
    wire: bytes, at: int, count: int, zone: bytes, known: dict[int, int]
) -> tuple[int, int]:
    """Where the leading records of `zone` end and how many they are."""
    for taken in range(count):
        owner = _expand(wire, at)
        if owner != zone and not (owner.endswith(zone) and _on_label(owner, zone)):
            return at, taken
        after = _skip_name(wire, at, known)
        at = after + 10 + struct.unpack_from("!H", wire, after + 8)[0]
    return at, count


def _on_label(owner: bytes, zone: bytes) -> bool:
    """Whether `zone` starts at a label border of `owner`."""
    at, want = 0, len(owner) - len(zone)
    while at < want:
        at += 1 + owner[at]
    return at == want


def _expand(wire: bytes, at: int) -> bytes:
    """The uncompressed lower-case name at `at` of a message that has been walked before."""
    labels = bytearray()
    while (length := wire[at]) != 0:
        if length >= 0xC0:
            at = (length & 0x3F) << 8 | wire[at + 1]
            continue
        labels += wire[at : at + 1 + length]
        at += 1 + length
    return bytes(labels).lower() + b"\0"


def _opt_octets(wire: bytes, records: int) -> bytes:
    """The OPT record as it stands, b"" without one."""
    known: dict[int, int] = {}
    at = _skip_name(wire, 12, known) + 4
    for _ in range(records):
        start, at = at, _skip_name(wire, at, known)
        rtype, _rclass, _ttl, length = _RECORD.unpack_from(wire, at)
        at += 10 + length
        if rtype == iana.OPT:
            return wire[start:at]
    return b""


def answer_data(wire: bytes, rtype: int) -> tuple[bytes, ...]:
    """The data of all records of `rtype` in the answer section of an inspected message."""
    known: dict[int, int] = {}
    at = _skip_name(wire, 12, known) + 4
    found: list[bytes] = []
    for _ in range(struct.unpack_from("!H", wire, 6)[0]):
        at = _skip_name(wire, at, known)
        kind, _rclass, _ttl, length = _RECORD.unpack_from(wire, at)
        at += 10 + length
        if kind == rtype:
            found.append(wire[at - length : at])
    return tuple(found)


def _options(wire: bytes) -> tuple[bytes | None, int | None]:
    """The COOKIE and the first Extended DNS Error of an OPT; raises ValueError when broken."""
    cookie: bytes | None = None
    ede: int | None = None
    at, end = 0, len(wire)
    for _ in range(64):
        if at == end:
            return cookie, ede
        code, length = struct.unpack_from("!HH", wire, at)
        at += 4
        if at + length > end:
            break
        if code == iana.OPTION_COOKIE and cookie is None:
            cookie = wire[at : at + length]
        elif code == iana.OPTION_EDE and length >= 2 and ede is None:
            ede = wire[at] << 8 | wire[at + 1]
        at += length
    raise ValueError("options overrun the OPT record or are more than 64")


def _skip_name(wire: bytes, at: int, known: dict[int, int]) -> int:
    """Where the name at `at` ends in place; raises ValueError or IndexError when broken.

    `known` maps offsets of labels already walked to the length of the name that starts there,
    so a message is linear work however its pointers are arranged.
    """
    starts: list[int] = []
    end = 0
    floor = at
    while True:
        length = wire[at]
        if length == 0:
            end, tail = end or at + 1, 1
            known[at] = 1
            break
        starts.append(at)
        if len(starts) > MAX_STEPS:
            raise ValueError("a name of too many labels and pointers")
        if length >= 0xC0:
            target = (length & 0x3F) << 8 | wire[at + 1]
            if target >= floor:
                raise ValueError("a pointer that does not lead backwards")
            end = end or at + 2
            if target in known:
                tail = known[target]
                break
            floor = at = target
        elif length > 63:
            raise ValueError("a label type that does not exist")
        else:
            at += 1 + length
    _remember(wire, starts, tail, known)
    return end


def _remember(wire: bytes, starts: list[int], tail: int, known: dict[int, int]) -> None:
    """Note the length of every name that was walked; raises ValueError beyond 255 octets."""
    for start in reversed(starts):
        if wire[start] < 0xC0:
            tail += 1 + wire[start]
        known[start] = tail
    if tail > 255:
        raise ValueError("a name longer than 255 octets")
