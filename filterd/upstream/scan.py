"""Walking a reply from its first octet to its last: is it one, and what is in it (PURE).

Linear work whatever the pointers do, no object per record. Knows no question and no transport.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from filterd.wire import constants as iana

MAX_RECORDS = 512
MAX_STEPS = 256
"""Labels (≤ 127) and pointers that one name may take; no honest name comes near."""
_LEADS_WITH_NAME = {
    iana.NS: 0, iana.CNAME: 0, iana.PTR: 0, iana.DNAME: 0, iana.MX: 2, iana.SRV: 6,
}  # fmt: skip
"""Types whose data is a name after this many octets: a loop in there is a broken reply too."""
_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")


class Facts(NamedTuple):
    """What the pool needs to know of a reply; `end` is where its last record ends."""

    rcode: int
    truncated: bool
    end: int
    has_opt: bool
    cookie: bytes | None
    ede: int | None


def inspect(wire: bytes) -> Facts | None:
    """Walk the whole message; None if it does not parse or is beyond the caps.

    Strict where a lie could hide: pointers only backwards (RFC 9267 §2), names ≤ 255 octets,
    RDLENGTH inside the message, one OPT at the root, at most MAX_RECORDS records.
    """
    try:
        return _walk(wire)
    except (IndexError, ValueError, struct.error):
        return None


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


def _walk(wire: bytes) -> Facts | None:
    _ident, flags, questions, answers, authorities, additional = _HEADER.unpack_from(wire, 0)
    total = answers + authorities + additional
    if questions != 1 or total > MAX_RECORDS:
        return None
    known: dict[int, int] = {}
    at, size = _skip_name(wire, 12, known) + 4, len(wire)
    high, cookie, ede, has_opt = 0, None, None, False
    for _ in range(total):
        start = at
        # nearly every owner is a pointer to a name that has been walked: no call for those
        if wire[at] >= 0xC0 and (wire[at] & 0x3F) << 8 | wire[at + 1] in known:
            at += 2
        else:
            at = _skip_name(wire, at, known)
        rtype, _rclass, ttl, length = _RECORD.unpack_from(wire, at)
        at += 10
        if at + length > size:
            return None
        if rtype == iana.OPT:
            if has_opt or wire[start]:
                return None
            has_opt, high = True, ttl >> 24
            cookie, ede = _options(wire, at, at + length)
        elif not _data_fits(wire, at, rtype, length, known):
            return None
        at += length
    return Facts((flags & 15) | high << 4, bool(flags & iana.TC), at, has_opt, cookie, ede)


def _data_fits(wire: bytes, at: int, rtype: int, length: int, known: dict[int, int]) -> bool:
    """Whether the data of the types that filterd itself looks into has its shape."""
    if rtype == iana.A:
        return length == 4
    if rtype == iana.AAAA:
        return length == 16
    if rtype in _LEADS_WITH_NAME:
        return _skip_name(wire, at + _LEADS_WITH_NAME[rtype], known) == at + length
    if rtype == iana.SOA:
        return _skip_name(wire, _skip_name(wire, at, known), known) + 20 == at + length
    return True


def _options(wire: bytes, at: int, end: int) -> tuple[bytes | None, int | None]:
    """The COOKIE and the first Extended DNS Error of an OPT; raises ValueError when broken."""
    cookie: bytes | None = None
    ede: int | None = None
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
