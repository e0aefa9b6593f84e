"""Twelve replies that are no answer, each before the good one: what a forwarder makes of them.

Works on any server whose upstream is `tests.lab.lying_upstream`.
"""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import dns.exception
import dns.message
import dns.rcode

from tests.lab.lying_upstream import TWELVE, LyingUpstream
from tests.lab.packets import Opt, query, udp_ask

GOOD, POISON = "192.0.2.1", "203.0.113.66"
_serial = itertools.count()


@dataclass(slots=True)
class Found:
    """Lies after which the good answer came, and lies that were believed."""

    delivered: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)


def twelve(port: int) -> Found:
    """Ask for one name per lie, each never asked before."""
    found = Found()
    for lie in TWELVE:
        text = _addresses(udp_ask(port, query(f"{lie}.n{next(_serial)}.example.com"), 5.0))
        if POISON in text:
            found.accepted.add(lie)
        elif GOOD in text:
            found.delivered.add(lie)
    if POISON in _addresses(udp_ask(port, query("bank.example"), 5.0)):
        found.accepted.add("extra")
        found.delivered.discard("extra")
    return found


def queries_for_forty(port: int, upstream: LyingUpstream) -> int:
    """Upstream queries when forty clients ask the same name within half a second."""
    name = f"slow400.f{next(_serial)}.example.com"
    before = len(upstream.queries("slow400"))
    with ThreadPoolExecutor(40) as pool:
        wires = [query(name, ident=number) for number in range(40)]
        list(pool.map(lambda wire: udp_ask(port, wire, 5.0), wires))
    return len(upstream.queries("slow400")) - before


def ports_of_sixty(port: int, upstream: LyingUpstream) -> tuple[int, int]:
    """Distinct source ports and ids of sixty upstream queries."""
    before = len(upstream.log)
    for _ in range(60):
        udp_ask(port, query(f"good.e{next(_serial)}.example.com"), 3.0)
    seen = [one for one in upstream.log[before:] if one.transport == "udp"][:60]
    return len({one.port for one in seen}), len({one.ident for one in seen})


def options_leaked(port: int, upstream: LyingUpstream) -> list[int]:
    """Which of a client's EDNS options reached the upstream: subnet, an unknown one, its cookie."""
    cookie = b"ourclnt!"
    opt = Opt(options=((8, b"\0\1\x18\0\x0a\0\0"), (65_001, b"x"), (10, cookie)))
    name = f"good.o{next(_serial)}.example.com"
    udp_ask(port, query(name, opt=opt), 3.0)
    seen = [one for one in upstream.log if one.qname.lower() == name]
    return sorted({
        code for one in seen for code, value in one.options.items()
        if code in (8, 65_001) or (code == 10 and value[:8] == cookie)
    })  # fmt: skip


def dead_seconds(port: int, most: float = 12.0) -> float | None:
    """Seconds until SERVFAIL when the upstream says nothing; None: not within `most`."""
    began = time.monotonic()
    reply = udp_ask(port, query(f"dead.d{next(_serial)}.example.com"), most)
    return time.monotonic() - began if reply is not None else None


def failure_cached(port: int, upstream: LyingUpstream) -> bool:
    """Whether a SERVFAIL is remembered for a moment (RFC 9520)."""
    name = f"servfail.s{next(_serial)}.example.com"
    udp_ask(port, query(name), 5.0)
    before = len(upstream.queries("servfail"))
    for _ in range(5):
        udp_ask(port, query(name), 5.0)
    return len(upstream.queries("servfail")) == before


def private_let_through(port: int) -> int:
    """How many of fourteen forms of private addresses come through in public names."""
    through = 0
    for form in range(14):
        for qtype in (1, 28):
            reply = udp_ask(port, query(f"rebind{form}.p{next(_serial)}.example.com", qtype), 3.0)
            through += bool(_addresses(reply))
    return through


def _addresses(reply: bytes | None) -> list[str]:
    if reply is None:
        return []
    try:
        message = dns.message.from_wire(reply)
    except (dns.exception.DNSException, ValueError):
        return ["unreadable"]
    if message.rcode() != dns.rcode.NOERROR:
        return []
    return [str(rdata) for rrset in message.answer for rdata in rrset]
