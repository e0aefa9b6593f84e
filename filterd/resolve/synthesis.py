"""Answers that no upstream gave: refusals in the tier's way, local records, aliases, failures.

Every function gives an `Answer`; AD is never set on one (RFC 4035 §3.2.3 leaves it to
validated data). Knows no cache and no client besides its question.
"""

from __future__ import annotations

import socket
import struct
from functools import lru_cache
from typing import assert_never

from filterd.policy.model import Action, Name
from filterd.policy.verdict import Blocked, Local
from filterd.wire import constants as c
from filterd.wire import edns, svcb
from filterd.wire.names import to_wire
from filterd.wire.query import Query
from filterd.wire.records import EMPTY, Body, Record, parse_reply, render
from filterd.wire.response import Answer

ALIAS_MOST = 300
"""A rewritten answer is believed no longer than this (field.md §4.1)."""
LOCAL_NEGATIVE_TTL = 60
_ANY_TTL = 3600
_SINKHOLE = (bytes(4), bytes(16))
_RECORD = struct.Struct("!HHHIH")
_TO_QUESTION = 0xC00C
"""A pointer to the name in the question, whatever that is."""
_FIRST_TTL = (6,)
_SOA_NAMES = b"\x07filterd\x07invalid\0\x0ahostmaster\x07filterd\x07invalid\0"
_SOA_NUMBERS = struct.Struct("!5I")
_ADDRESS_SIZE = {c.A: 4, c.AAAA: 16}


def blocked(query: Query, verdict: Blocked, portal: tuple[bytes, ...], ttl: int) -> Answer:
    """The refusal as the tier tells it; `ttl` seconds at most (contract §3, §5)."""
    options = b""
    if query.edns is not None:
        why = verdict.origin.category or verdict.origin.step
        options = _reason(verdict.ede, why)
    addresses: tuple[bytes, ...] = ()
    match verdict.action:
        case Action.NXDOMAIN:
            return Answer(c.NXDOMAIN, _nothing(ttl), options)
        case Action.REFUSED:
            return Answer(c.REFUSED, EMPTY, options)
        case Action.NODATA:
            pass
        case Action.SINKHOLE:
            addresses = _SINKHOLE
        case Action.PORTAL:
            addresses = portal
        case _:
            assert_never(verdict.action)
    body = _addresses(query, addresses, ttl)
    if body is None:
        return Answer(c.NOERROR, _nothing(ttl), options)
    return Answer(c.NOERROR, body, options + edns.ede(c.EDE_FORGED))


def local(query: Query, answer: Local, ede: int | None) -> Answer:
    """Records of our own; a negative answer carries an SOA that clients may keep."""
    records = tuple(_record(*text) for text in answer.records)
    options = edns.ede(ede) if ede is not None else b""
    if records:
        return Answer(answer.rcode, render(query.question, records), options)
    if answer.rcode not in (c.NOERROR, c.NXDOMAIN):
        return Answer(answer.rcode, EMPTY, options)
    return Answer(answer.rcode, _nothing(LOCAL_NEGATIVE_TTL), options)


def nodata(query: Query, ede: int | None, options: bytes = b"") -> Answer:
    """There is such a name, and nothing of this type."""
    options += edns.ede(ede) if ede is not None else b""
    return Answer(c.NOERROR, _nothing(LOCAL_NEGATIVE_TTL), options)


def aliased(query: Query, key: bytes, found: Body, ede: int | None) -> Answer:
    """CNAME to the name in `key` and what was really found there, no TTL above ALIAS_MOST.

    `found` is the body of the answer to `key`: the other name, the same type.
    """
    target_wire = key[:-4]
    records = _body_records(key, found)
    rest = tuple(record._replace(ttl=min(record.ttl, ALIAS_MOST)) for record in records)
    least = min((record.ttl for record in rest), default=LOCAL_NEGATIVE_TTL)
    alias = Record(query.question[:-4], c.CNAME, c.IN, least, target_wire)
    options = edns.ede(ede) if ede is not None else b""
    return Answer(c.NOERROR, render(query.question, (alias, *rest)), options)


def any_type(query: Query) -> Answer:
    """The minimal answer to type ANY (RFC 8482 §4.2)."""
    record = Record(query.question[:-4], c.HINFO, c.IN, _ANY_TTL, b"\x07RFC8482\0")
    return Answer(c.NOERROR, render(query.question, (record,)))


def without_addresses(key: bytes, found: Body, refused: frozenset[bytes]) -> Body | None:
    """`found` without these A/AAAA records and without SVCB records that hint at them.

    None when no record of the asked type is left.
    """
    kept: list[Record] = []
    for record in _body_records(key, found):
        if record.rtype in (c.A, c.AAAA) and record.rdata in refused:
            continue
        if record.rtype in (c.SVCB, c.HTTPS) and refused & set(
            svcb.parse(record.rdata).addresses()
        ):
            continue
        if record.rtype != c.RRSIG:  # a signature over what is no longer there
            kept.append(record)
    qtype = key[-4] << 8 | key[-3]
    return render(key, tuple(kept)) if any(r.rtype == qtype for r in kept) else None


def failed(code: int, text: str) -> Answer:
    """SERVFAIL with the reason."""
    return Answer(c.SERVFAIL, EMPTY, edns.ede(code, text))


@lru_cache(maxsize=256)
def _nothing(ttl: int) -> Body:
    """An SOA at the question's own name; its pointer is right for any question."""
    rdata = _SOA_NAMES + _SOA_NUMBERS.pack(1, 3600, 600, 86_400, ttl)
    octets = _RECORD.pack(_TO_QUESTION, c.SOA, c.IN, ttl, len(rdata)) + rdata
    return Body(0, 1, 0, octets, _FIRST_TTL, len(octets))


@lru_cache(maxsize=256)
def _reason(code: int, why: str) -> bytes:
    return edns.ede(code, f"filterd: {why}")


def _addresses(query: Query, addresses: tuple[bytes, ...], ttl: int) -> Body | None:
    size = _ADDRESS_SIZE.get(query.qtype, 0)
    fitting = [each for each in addresses if len(each) == size]
    if not fitting:
        return None
    head = _RECORD.pack(_TO_QUESTION, query.qtype, c.IN, ttl, size)
    octets = b"".join([head + each for each in fitting])
    ttls = tuple(range(_FIRST_TTL[0], len(octets), len(head) + size))
    return Body(len(fitting), 0, 0, octets, ttls, len(octets))


def _body_records(question: bytes, body: Body) -> tuple[Record, ...]:
    """The answer records of a body that we made ourselves."""
    counts = (1, body.answers, body.authorities, body.additionals)
    head = b"".join(count.to_bytes(2, "big") for count in counts)
    return parse_reply(bytes(4) + head + question + body.octets).answer


def _record(name: str, rtype: str, ttl: int, value: str) -> Record:
    """One record from presentation form; ValueError or a dnslib error for a wrong one."""
    owner = to_wire(Name(name))
    if rtype == "A":
        return Record(owner, c.A, c.IN, ttl, socket.inet_pton(socket.AF_INET, value))
    if rtype == "AAAA":
        return Record(owner, c.AAAA, c.IN, ttl, socket.inet_pton(socket.AF_INET6, value))
    if rtype == "CNAME":
        return Record(owner, c.CNAME, c.IN, ttl, to_wire(Name(value.removesuffix(".").lower())))
    import dnslib  # only for the types that are rare at a school

    # dnslib reads HTTPS but not SVCB, whose presentation form is the same (RFC 9460 §2.1)
    written = "HTTPS" if rtype == "SVCB" else rtype
    read = dnslib.RR.fromZone(f"x. {ttl} IN {written} {value}")
    message = dnslib.DNSRecord(q=dnslib.DNSQuestion("x."), rr=read)
    found = parse_reply(bytes(message.pack())).answer[0]
    return found._replace(owner=owner, rtype=c.SVCB if rtype == "SVCB" else found.rtype)
