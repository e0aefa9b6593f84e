"""The lies that `LyingUpstream` tells, by the first label of the question; see its docstring."""

from __future__ import annotations

import struct
from collections.abc import Callable

from dnslib import AAAA, CNAME, EDNS0, QTYPE, RCODE, RR, SOA, A, DNSHeader, DNSRecord, EDNSOption

LATE = 0.15
"""Seconds after a lie when the good answer follows."""
COOKIE, EDE = 10, 15
REBIND = (
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "0.0.0.0", "100.64.0.1",
    "::1", "::", "fe80::1", "fd00::1", "::ffff:a01:203", "64:ff9b::a01:203", "::ffff:7f00:1",
)  # fmt: skip
"""The fourteen forms in which an answer can point into the school's own network."""
Replies = list[tuple[float, bytes]]
Reply = Callable[[DNSRecord, str], Replies]


def options_of(record: DNSRecord) -> dict[int, bytes]:
    """The EDNS options of a query by code; {} without an OPT."""
    opt = next((rr for rr in record.ar if rr.rtype == QTYPE.OPT), None)
    return {option.code: bytes(option.data) for option in opt.rdata} if opt else {}


def base(
    record: DNSRecord, rcode: str = "NOERROR", options: list[EDNSOption] | None = None
) -> DNSRecord:
    """A reply without records; OPT with our cookie if the query had one."""
    header = DNSHeader(id=record.header.id, qr=1, rd=1, ra=1, rcode=getattr(RCODE, rcode))
    reply = DNSRecord(header, q=record.q)
    if any(rr.rtype == QTYPE.OPT for rr in record.ar):
        cookie = options_of(record).get(COOKIE)
        sent = list(options or [])
        if cookie:
            sent.append(EDNSOption(COOKIE, cookie[:8] + b"fromlab!"))
        reply.add_ar(EDNS0(udp_len=1232, opts=sent))
    return reply


def good(record: DNSRecord, ttl: int = 300) -> DNSRecord:
    """The honest answer."""
    reply = base(record)
    if record.q.qtype == QTYPE.A:
        reply.add_answer(RR(record.q.qname, QTYPE.A, ttl=ttl, rdata=A("192.0.2.1")))
    elif record.q.qtype == QTYPE.AAAA:
        reply.add_answer(RR(record.q.qname, QTYPE.AAAA, ttl=ttl, rdata=AAAA("2001:db8::1")))
    else:
        _add_soa(record, reply)
    return reply


def _add_soa(record: DNSRecord, reply: DNSRecord) -> None:
    zone = ".".join(str(record.q.qname).split(".")[1:]) or "."
    times = (1, 3600, 600, 86400, 60)
    reply.add_auth(RR(zone, QTYPE.SOA, ttl=60, rdata=SOA("ns.invalid.", "h.invalid.", times)))


def _with_rcode(rcode: str, options: list[EDNSOption] | None = None) -> Reply:
    return lambda record, _transport: [(0.0, base(record, rcode, options).pack())]


def _lie(make: Callable[[DNSRecord], bytes]) -> Reply:
    """First the lie, then, over UDP, the good answer; TCP is honest."""

    def replies(record: DNSRecord, transport: str) -> Replies:
        honest = good(record).pack()
        if transport == "tcp":
            return [(0.0, honest)]
        return [(0.0, make(record)), (LATE, honest)]

    return replies


def _patched(offset: int, value: bytes) -> Callable[[DNSRecord], bytes]:
    def make(record: DNSRecord) -> bytes:
        wire = good(record).pack()
        return wire[:offset] + value + wire[offset + len(value) :]

    return make


def _wrong_id(record: DNSRecord) -> bytes:
    wire = good(record).pack()
    return struct.pack("!H", record.header.id ^ 0x5555) + wire[2:]


def _wrong_name(record: DNSRecord) -> bytes:
    reply = good(record)
    other = DNSRecord.question("other.example", QTYPE[record.q.qtype])
    other.header.id, other.header.qr = reply.header.id, 1
    other.add_answer(RR("other.example", QTYPE.A, ttl=300, rdata=A("203.0.113.66")))
    return bytes(other.pack())


def _wrong_type(record: DNSRecord) -> bytes:
    reply = DNSRecord(DNSHeader(id=record.header.id, qr=1, rd=1, ra=1))
    other = DNSRecord.question(str(record.q.qname), "TXT")
    other.q.qname = record.q.qname
    reply.add_question(other.q)
    return bytes(reply.pack())


def _no_question(record: DNSRecord) -> bytes:
    reply = DNSRecord(DNSHeader(id=record.header.id, qr=1, rd=1, ra=1))
    reply.add_answer(RR(record.q.qname, QTYPE.A, ttl=300, rdata=A("203.0.113.66")))
    return bytes(reply.pack())


def _raw_answer(record: DNSRecord, owner: bytes, length: int) -> bytes:
    question = DNSRecord(DNSHeader(id=record.header.id, qr=1, rd=1, ra=1), q=record.q).pack()
    counted = question[:6] + b"\0\1" + question[8:]
    return bytes(counted) + owner + struct.pack("!HHIH", 1, 1, 300, length) + b"\xcb\0\x71\x42"


def _loop(record: DNSRecord) -> bytes:
    question = DNSRecord(DNSHeader(id=record.header.id, qr=1, rd=1, ra=1), q=record.q).pack()
    return _raw_answer(record, struct.pack("!H", 0xC000 | len(question)), 4)


def _extra(record: DNSRecord, _transport: str) -> Replies:
    reply = good(record)
    poison = RR("bank.example", QTYPE.A, ttl=86400, rdata=A("203.0.113.66"))
    reply.add_answer(poison)
    reply.add_auth(poison)
    reply.add_ar(poison)
    return [(0.0, reply.pack())]


def _many_ids(record: DNSRecord, transport: str) -> Replies:
    wire = good(record).pack()
    if transport == "tcp":
        return [(0.0, wire)]
    count = record.argument or 50
    return [
        (0.0, struct.pack("!H", (record.header.id + 1 + n) & 0xFFFF) + wire[2:])
        for n in range(count)
    ]


def truncated(record: DNSRecord, transport: str) -> Replies:
    reply = good(record) if transport == "tcp" else base(record)
    reply.header.tc = transport != "tcp"
    return [(0.0, reply.pack())]


def _big(record: DNSRecord, transport: str) -> Replies:
    reply = base(record)
    for number in range(record.argument or 100):
        address = f"198.51.{100 + number // 250}.{number % 250 + 1}"
        reply.add_answer(RR(record.q.qname, QTYPE.A, ttl=300, rdata=A(address)))
    wire = reply.pack()
    if transport == "udp" and len(wire) > 1232:
        return truncated(record, transport)
    return [(0.0, wire)]


def _rebind(record: DNSRecord, _transport: str) -> Replies:
    reply = base(record)
    address = REBIND[(record.argument or 0) % len(REBIND)]
    kind = "AAAA" if ":" in address else "A"
    if QTYPE[record.q.qtype] == kind:
        data = AAAA(address) if kind == "AAAA" else A(address)
        reply.add_answer(RR(record.q.qname, record.q.qtype, ttl=300, rdata=data))
    else:
        _add_soa(record, reply)
    return [(0.0, reply.pack())]


def _names(record: DNSRecord, names: list[str], *, end: bool) -> Replies:
    """CNAMEs from the question along `names`, with an address at the end or not."""
    reply = base(record)
    owner = record.q.qname
    for name in names:
        reply.add_answer(RR(owner, QTYPE.CNAME, ttl=300, rdata=CNAME(name)))
        owner = name
    if end:
        reply.add_answer(RR(owner, QTYPE.A, ttl=300, rdata=A("192.0.2.1")))
    return [(0.0, reply.pack())]


def _rest(record: DNSRecord) -> str:
    return str(record.q.qname).partition(".")[2]


def _chain(record: DNSRecord, _transport: str) -> Replies:
    names = [f"link{number}.{_rest(record)}" for number in range(record.argument or 20)]
    return _names(record, names, end=True)


def _lowercase(record: DNSRecord, _transport: str) -> Replies:
    lowered = DNSRecord.parse(record.pack())
    lowered.q.qname = str(record.q.qname).lower()
    return [(0.0, good(lowered).pack())]


def _form_error(record: DNSRecord, _transport: str) -> Replies:
    if any(rr.rtype == QTYPE.OPT for rr in record.ar):
        header = DNSHeader(id=record.header.id, qr=1, rd=1, ra=1, rcode=RCODE.FORMERR)
        return [(0.0, DNSRecord(header, q=record.q).pack())]
    return [(0.0, good(record).pack())]


def _wrong_cookie(record: DNSRecord) -> bytes:
    reply = DNSRecord(DNSHeader(id=record.header.id, qr=1, rd=1, ra=1), q=record.q)
    reply.add_answer(RR(record.q.qname, QTYPE.A, ttl=300, rdata=A("203.0.113.66")))
    reply.add_ar(EDNS0(udp_len=1232, opts=[EDNSOption(COOKIE, b"forgery!fromlab!")]))
    return bytes(reply.pack())


def _no_cookie(record: DNSRecord, _transport: str) -> Replies:
    bare = DNSRecord(record.header, q=record.q)
    return [(0.0, good(bare).pack())]


def _bad_cookie(record: DNSRecord, transport: str) -> Replies:
    if transport == "tcp":
        return [(0.0, good(record).pack())]
    wire = bytearray(base(record).pack())
    wire[3] |= 23 & 15
    at = bytes(wire).index(b"\x00\x00\x29\x04\xd0")
    wire[at + 5] = 23 >> 4
    return [(0.0, bytes(wire))]


LIES: dict[str, Reply] = {
    "hold": lambda _record, _transport: [],
    "wrongid": _lie(_wrong_id),
    "empty": _lie(lambda record: b""),
    "short": _lie(lambda record: bytes(record.pack()[:7])),
    "wrongname": _lie(_wrong_name),
    "wrongtype": _lie(_wrong_type),
    "noquestion": _lie(_no_question),
    "notreply": _lie(_patched(2, b"\x01")),
    "opcode": _lie(_patched(2, b"\xa9")),
    "loop": _lie(_loop),
    "headeronly": _lie(lambda record: bytes(good(record).pack()[:12])),
    "rdlen": _lie(lambda record: _raw_answer(record, b"\xc0\x0c", 400)),
    "extra": _extra,
    "manyids": _many_ids,
    "slow": lambda record, _transport: [((record.argument or 1000) / 1000, good(record).pack())],
    "dead": lambda _record, _transport: [],
    "refused": _with_rcode("REFUSED"),
    "servfail": _with_rcode("SERVFAIL"),
    "notimp": _with_rcode("NOTIMP"),
    "bogus": _with_rcode("SERVFAIL", [EDNSOption(EDE, b"\0\6")]),
    "formerr": _form_error,
    "nxdomain": lambda record, _transport: [(0.0, _negative(record, "NXDOMAIN"))],
    "nodata": lambda record, _transport: [(0.0, _negative(record, "NOERROR"))],
    "ttl": lambda record, _transport: [(0.0, good(record, ttl=record.argument or 0).pack())],
    "alias": lambda record, _transport: _names(record, [f"www.{_rest(record)}"], end=True),
    "tc": truncated,
    "big": _big,
    "rebind": _rebind,
    "cnameloop": lambda record, _transport: _names(record, [str(record.q.qname)], end=False),
    "ring": lambda record, _transport: _names(
        record, [f"other.{_rest(record)}", str(record.q.qname)], end=False
    ),
    "chain": _chain,
    "lowercase": _lowercase,
    "nocookie": _no_cookie,
    "wrongcookie": _lie(_wrong_cookie),
    "badcookie": _bad_cookie,
}
TWELVE = (
    "wrongid", "empty", "short", "wrongname", "wrongtype", "noquestion",
    "notreply", "opcode", "loop", "headeronly", "rdlen", "extra",
)  # fmt: skip
"""The twelve lies after which a good resolver still delivers the good answer."""


def _negative(record: DNSRecord, rcode: str) -> bytes:
    reply = base(record, rcode)
    _add_soa(record, reply)
    return bytes(reply.pack())
