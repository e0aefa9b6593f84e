"""What a forwarder changes on the way: the same questions to it and to its own upstream.

Compared are rcode, flags, question, answer, authority, EDNS and the sizes that make TC, but not
TTLs (both caches run down), not the order inside an RRset, and not the case of names (an upstream
that makes CNAMEs of a DNAME keeps the random case it was asked in). Of a truncated reply only
rcode and TC count: the client discards the rest and comes by TCP (RFC 2181 §9).
"""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from tests.lab.packets import AD, CD, DO, RD, SOURCE, Opt, query, read_frame

NAMES = (
    "www", "WwW", "a", "b", "dn", "x.dn", "q.wild", "t666", "mixed", "still", "er.still",
    "deep.er.still", "many", "caa", "srv", "nothing-here", "ns", "", "sixty", "big", "zero",
)  # fmt: skip
TYPES = (1, 28, 16, 65, 15, 33, 257, 2, 6, 48, 666, 5, 39)
UNSTABLE = {("x.dn", 5), ("x.dn", 39)}
"""Left out: unbound 1.17 itself answers these now bogus, now not."""
OPTS = (None, Opt(), Opt(flags=DO), Opt(4096, flags=DO), Opt(512))
FLAGS = (RD, RD | AD, RD | CD)
SEED = 20261121


@dataclass(slots=True)
class Comparison:
    """How many questions were compared and what differed: (question, upstream, server)."""

    total: int = 0
    different: list[tuple[str, object, object]] = field(default_factory=list)
    besides_ad: int = 0


def questions(count: int) -> list[bytes]:
    """Every name with every type, hosts, and names that are not; the same in every run."""
    chance = random.Random(SEED)
    kinds = [pair for pair in itertools.product(NAMES, TYPES) if pair not in UNSTABLE]
    hosts = [(f"h{number}", chance.choice((1, 28))) for number in range(1000)]
    while len(hosts) + len(kinds) < count:
        letters = "".join(chance.choice("abcdefgh") for _ in range(6))
        hosts.append((letters, chance.choice((1, 28, 65))))
    made = []
    for name, kind in (kinds + hosts)[:count]:
        owner = f"{name}.lab.example".lstrip(".")
        opt, flags = chance.choice(OPTS), chance.choice(FLAGS)
        made.append(query(owner, kind, flags, opt, ident=chance.randrange(65_536)))
    return made


@contextlib.contextmanager
def connected(port: int, tcp: bool) -> Iterator[socket.socket]:
    """A socket for many questions, from a source that is not filtered."""
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((SOURCE, 0))
        sock.settimeout(5)
        sock.connect(("127.0.0.1", port))
        if tcp:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield sock


def ask(sock: socket.socket, wire: bytes) -> bytes | None:
    """The reply on a connected socket."""
    try:
        if sock.type == socket.SOCK_DGRAM:
            sock.send(wire)
            return sock.recv(65_535)
        sock.sendall(struct.pack("!H", len(wire)) + wire)
        return read_frame(sock)
    except OSError:
        return None


def essence(reply: bytes | None) -> object:
    """All that must be the same; None: nothing readable came."""
    if reply is None:
        return None
    try:
        message = dns.message.from_wire(reply)
    except (dns.exception.DNSException, ValueError) as error:
        return f"unreadable: {error}"
    if message.flags & dns.flags.TC:
        return message.rcode(), "TC"
    if message.rcode() == dns.rcode.SERVFAIL:
        return message.rcode(), "whatever the reason"
    flags = message.flags & ~dns.flags.AA
    authority = _records(message, dns.message.AUTHORITY)
    # RFC 8914 §2: reasons are a hop's own; RFC 6891 §6.2.3: so is the size it takes
    edns = (message.edns, message.ednsflags & DO)
    answer = _records(message, dns.message.ANSWER)
    return message.rcode(), dns.flags.to_text(flags), answer, authority, edns


def _without_ad(essence_of: object) -> object:
    """The same, had neither been told that it was validated."""
    if isinstance(essence_of, tuple) and len(essence_of) > 2:
        rcode, flags, *rest = essence_of
        return rcode, [flag for flag in str(flags).split() if flag != "AD"], rest
    return essence_of


def _records(message: dns.message.Message, section: int) -> tuple[str, ...]:
    return tuple(sorted(
        f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)} {rdata.to_text()}".lower()
        for rrset in message.section_from_number(section) for rdata in rrset
    ))  # fmt: skip


def compare(upstream: int, server: int, count: int, tcp: bool) -> Comparison:
    """Ask both everything, over UDP or TCP."""
    result = Comparison()
    with connected(upstream, tcp) as direct, contextlib.ExitStack() as on:
        through = on.enter_context(connected(server, tcp))
        for wire in questions(count):
            theirs = essence(ask(direct, wire))
            reply = ask(through, wire)
            if reply is None:  # the connection may have ended: one more, on a new one
                through = on.enter_context(connected(server, tcp))
                reply = ask(through, wire)
            ours = essence(reply)
            result.total += 1
            if ours != theirs:
                asked = dns.message.from_wire(wire)
                result.different.append((str(asked.question[0]), theirs, ours))
                result.besides_ad += _without_ad(theirs) != _without_ad(ours)
    return result
