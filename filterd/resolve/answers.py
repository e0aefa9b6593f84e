"""Makes of a walked upstream reply what may be cached: the chain that answers, nothing else.

Knows the DNS's rules on chains, TTLs and negative answers; knows no policy. The one change made
for policy's sake holds for everyone: `ech` leaves HTTPS records, so that names stay visible to
the school's other controls (requirement of the product; RFC 9460 lets resolvers do no such
thing unseen, therefore AD is taken off).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from filterd.errors import WireError
from filterd.resolve.cache import Cached
from filterd.wire import constants as c
from filterd.wire import svcb
from filterd.wire.records import EMPTY, Body, Message, Record, name_end, parse_reply, render

MAX_HOPS = 16
_NEGATIVE_MOST = 3600
_ECH = frozenset({c.SVC_ECH})
_SIGNATURES = frozenset({c.RRSIG, c.NSEC, c.NSEC3})
_AUTHORITY = frozenset({c.SOA, c.NS, c.DS, c.RRSIG, c.NSEC, c.NSEC3})
_TTL_LIMIT = 0x7FFFFFFF
_ADDRESS = (c.A, c.AAAA)
_ADDRESS_HEAD = struct.Struct("!HHHIH")
_NEGATIVE_HEAD = struct.Struct("!6H")
_TO_QUESTION = 0xC00C


@dataclass(frozen=True, slots=True)
class Clamp:
    """Bounds of what is believed of a TTL, in seconds."""

    least: int = 0
    most: int = 86_400

    def __call__(self, ttl: int) -> int:
        # RFC 2181 §8: the most significant bit set means zero
        return max(self.least, min(0 if ttl > _TTL_LIMIT else ttl, self.most))


def normalise(message: Message, key: bytes, now: float, clamp: Clamp) -> Cached:
    """The answer to the question `key`; WireError for chains that loop or are too long."""
    question = key[: name_end(key, 0) + 4]
    qtype = question[-4] << 8 | question[-3]
    if (addresses := _only_addresses(message, question, qtype)) is not None:
        return _plain(message, key, addresses, now, clamp)
    names = _chain(message.answer, question[:-4], qtype)
    kept = [r for r in message.answer if _belongs(r, names, qtype)]
    kept, changed = _services(kept)
    answer = _even(kept, clamp)
    authority = tuple(r for r in message.authority if r.rtype in _AUTHORITY)
    lifetime = min((record.ttl for record in answer), default=clamp.most)
    if not any(r.rtype == qtype for r in answer) and qtype != c.CNAME:
        lifetime = min(lifetime, _negative_ttl(authority))
        authority = tuple(r._replace(ttl=min(r.ttl, _NEGATIVE_MOST)) for r in authority)
    plain, secure = _bodies(question, qtype, answer, _even(authority, clamp))
    targets, addresses = _concerns(answer)
    return Cached(
        key, message.rcode, plain, secure, targets, addresses, now, lifetime,
        bool(message.flags & c.AD) and not changed, _errors(message.options),
    )  # fmt: skip


def _only_addresses(message: Message, question: bytes, qtype: int) -> tuple[bytes, ...] | None:
    """The addresses of an answer that is nothing but these, as most are; None for any other."""
    if qtype not in _ADDRESS or message.authority or not message.answer:
        return None
    name = question[:-4]
    found: dict[bytes, None] = {}
    for owner, rtype, _, _, rdata in message.answer:
        if rtype != qtype or (owner != name and owner.lower() != name):
            return None
        found[rdata] = None
    return tuple(found) if len(found) == len(message.answer) else None


def _plain(
    message: Message, key: bytes, addresses: tuple[bytes, ...], now: float, clamp: Clamp
) -> Cached:
    """The same as by the general way, with every owner a pointer to the question."""
    lifetime = min([clamp(record.ttl) for record in message.answer])
    rtype = message.answer[0].rtype
    head = _ADDRESS_HEAD.pack(_TO_QUESTION, rtype, c.IN, lifetime, len(addresses[0]))
    octets = b"".join([head + address for address in addresses])
    size = len(octets)
    ttls = tuple(range(6, size, size // len(addresses)))
    body = Body(len(addresses), 0, 0, octets, ttls, size)
    return Cached(
        key, message.rcode, body, body, (), addresses, now, lifetime,
        bool(message.flags & c.AD), _errors(message.options) if message.options else b"",
    )  # fmt: skip


def recalled(key: bytes, records: bytes, ttl: int, born: float, ad: bool) -> Cached:
    """The answer of `_plain` from its records with TTLs of 0, as native forwarding keeps them."""
    size = _ADDRESS_HEAD.size + (4 if key[-3] == c.A else 16)
    octets = bytearray(records)
    ttls = tuple(range(6, len(octets), size))
    for at in ttls:
        octets[at : at + 4] = ttl.to_bytes(4, "big")
    addresses = tuple(
        bytes(octets[at + _ADDRESS_HEAD.size : at + size]) for at in range(0, len(octets), size)
    )
    body = Body(len(addresses), 0, 0, bytes(octets), ttls, len(octets))
    return Cached(key, c.NOERROR, body, body, (), addresses, born, ttl, ad)


def recalled_negative(
    key: bytes, rcode: int, authority: bytes, life: tuple[float, int], ad: bool
) -> Cached:
    """The answer of `normalise` from its authority section, one record as native forwarding keeps
    it; `life` is when it came and for how long it holds."""
    head = _NEGATIVE_HEAD.pack(0, c.QR | rcode, 1, 0, bool(authority), 0)
    message = parse_reply(head + key + authority)
    body = render(key, (), message.authority)
    return Cached(key, rcode, body, body, (), (), *life, ad)


def failure(key: bytes, rcode: int, now: float, options: bytes) -> Cached:
    """A failed exchange in the form of an answer without records."""
    return Cached(key, rcode, EMPTY, EMPTY, (), (), now, 0, False, options)


def extended_errors(message: Message) -> bytes:
    """The extended errors that came with a reply, as options to pass on."""
    return _errors(message.options)


def _chain(answer: tuple[Record, ...], name: bytes, qtype: int) -> set[bytes]:
    """Every owner, in lower case, that the question leads to."""
    aliases = {r.owner.lower(): r.rdata.lower() for r in answer if r.rtype == c.CNAME}
    names = {name}
    while qtype != c.CNAME and (target := aliases.get(name)) is not None:
        if target in names or len(names) > MAX_HOPS:
            raise WireError(c.SERVFAIL, "a CNAME chain that loops or is too long")
        names.add(target)
        name = target
    return names


def _belongs(record: Record, names: set[bytes], qtype: int) -> bool:
    owner = record.owner.lower()
    if record.rtype == c.DNAME or (record.rtype == c.RRSIG and _covers(record, c.DNAME)):
        return any(name.endswith(owner) for name in names)
    if owner not in names:
        return False
    return record.rtype in (qtype, c.CNAME, c.RRSIG) or qtype == c.ANY


def _covers(record: Record, rtype: int) -> bool:
    return record.rdata[:2] == rtype.to_bytes(2, "big")


def _services(answer: list[Record]) -> tuple[list[Record], bool]:
    """The records without `ech` and without malformed services, and whether that changed any."""
    out: list[Record] = []
    for record in answer:
        if record.rtype in (c.SVCB, c.HTTPS):
            try:
                rdata = svcb.parse(record.rdata).without(_ECH).rdata()
            except WireError:
                continue
            record = record if rdata == record.rdata else record._replace(rdata=rdata)
        out.append(record)
    return out, out != answer


def _even(records: list[Record] | tuple[Record, ...], clamp: Clamp) -> tuple[Record, ...]:
    """Clamped TTLs, equal inside each RRset (RFC 2181 §5.2)."""
    least: dict[tuple[bytes, int], int] = {}
    for record in records:
        key = (record.owner.lower(), record.rtype)
        ttl = clamp(record.ttl)
        least[key] = min(ttl, least.get(key, ttl))
    return tuple(r._replace(ttl=least[r.owner.lower(), r.rtype]) for r in records)


def _negative_ttl(authority: tuple[Record, ...]) -> int:
    """How long "there is none" holds (RFC 2308 §5): 0 without an SOA, an hour at most."""
    for record in authority:
        if record.rtype == c.SOA:
            minimum = int.from_bytes(record.rdata[-4:], "big")
            return min(record.ttl, minimum, _NEGATIVE_MOST)
    return 0


def _bodies(
    question: bytes, qtype: int, answer: tuple[Record, ...], authority: tuple[Record, ...]
) -> tuple[Body, Body]:
    secure = render(question, answer, authority)
    hidden = _SIGNATURES - {qtype}
    if qtype == c.ANY or not any(r.rtype in hidden for r in (*answer, *authority)):
        return secure, secure
    visible = tuple(r for r in answer if r.rtype not in hidden)
    return render(question, visible, tuple(r for r in authority if r.rtype not in hidden)), secure


def _concerns(answer: tuple[Record, ...]) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Names the answer leads to and addresses it gives, each once, in order."""
    targets: dict[bytes, None] = {}
    addresses: dict[bytes, None] = {}
    for record in answer:
        if record.rtype in (c.CNAME, c.DNAME):
            targets[record.rdata.lower()] = None
        elif record.rtype in (c.A, c.AAAA):
            addresses[record.rdata] = None
        elif record.rtype in (c.SVCB, c.HTTPS):
            service = svcb.parse(record.rdata)
            if service.target != b"\0":
                targets[service.target.lower()] = None
            addresses.update(dict.fromkeys(service.addresses()))
    return tuple(targets), tuple(addresses)


def _errors(options: bytes | None) -> bytes:
    """The extended errors among options, text bounded; everything else stays hop by hop."""
    out = b""
    position = 0
    while options and position + 4 <= len(options) and len(out) < 256:
        code = int.from_bytes(options[position : position + 2], "big")
        length = int.from_bytes(options[position + 2 : position + 4], "big")
        end = position + 4 + length
        if code == c.OPTION_EDE and 2 <= length <= 98 and end <= len(options):
            out += options[position:end]
        position = end
    return out
