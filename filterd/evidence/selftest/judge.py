"""Reads a reply and says whether it is what the check wants. Pure.

Parses with dnslib, not with the codec that made the reply, so a fault there cannot hide itself.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from dnslib import CLASS, QTYPE, RCODE, DNSError, DNSRecord

from filterd.evidence.selftest.checks import Check, Want

BLOCKING_EDE = frozenset({15, 16, 17})
"""RFC 8914: Blocked, Censored, Filtered."""
NO_UPSTREAM_EDE = frozenset({9, 10, 22, 23})
"""Keys missing, no reachable authority, network error: the Internet's fault, not the filter's."""
_EDE = 15
_ECH = 5


@dataclass(frozen=True, slots=True)
class Reply:
    """What a reply says, as far as a self-test looks; `svc` are the SvcParamKeys of each HTTPS."""

    rcode: str
    ede: frozenset[int]
    addresses: tuple[str, ...]
    names: tuple[str, ...]
    svc: tuple[frozenset[int], ...]

    @property
    def blocked(self) -> bool:
        return bool(self.ede & BLOCKING_EDE)

    @property
    def positive(self) -> bool:
        return bool(self.addresses or self.svc)


def read(wire: bytes) -> Reply | None:
    """The reply in these bytes; None when it cannot be read."""
    try:
        record = DNSRecord.parse(wire)
        return Reply(
            rcode=str(RCODE.get(record.header.rcode)),
            ede=frozenset(_extended_errors(record)),
            addresses=tuple(str(rr.rdata) for rr in record.rr if rr.rtype in (1, 28)),
            names=tuple(str(rr.rdata).rstrip(".").lower() for rr in record.rr if rr.rtype == 5),
            svc=tuple(
                frozenset(key for key, _ in rr.rdata.params) for rr in record.rr if rr.rtype == 65
            ),
        )
    except (DNSError, ValueError, IndexError, struct.error):
        return None


def query(name: str, qtype: str, number: int) -> bytes:
    """A question as a phone sends it: recursion desired, EDNS with 1232 octets."""
    header = struct.pack("!6H", number, 0x0100, 1, 0, 0, 1)
    labels = b"".join(bytes((len(part),)) + part.encode("ascii") for part in name.split("."))
    question = labels + b"\0" + struct.pack("!2H", getattr(QTYPE, qtype), CLASS.IN)
    return header + question + struct.pack("!BHHIH", 0, 41, 1232, 0, 0)


def passed(check: Check, reply: Reply) -> bool | None:
    """Whether the reply is right; None when only the Internet's absence kept it from being seen."""
    match check.want:
        case Want.BLOCKED:
            return _undecided(reply) if not reply.blocked else not _leaks(reply)
        case Want.NOT_BLOCKED:
            # Offline, an unanswered question that nobody blocked is all that can be shown.
            failed = reply.rcode in ("SERVFAIL", "REFUSED") and not reply.ede & NO_UPSTREAM_EDE
            return not reply.blocked and not failed
        case Want.REWRITTEN:
            if reply.blocked:
                return not _leaks(reply)
            found = set(reply.names) | set(reply.addresses)
            return True if found & set(check.target) else _undecided(reply)
        case Want.NXDOMAIN:
            return reply.rcode == "NXDOMAIN" and not reply.positive
        case Want.NEGATIVE:
            return reply.rcode in ("NXDOMAIN", "NOERROR") and not reply.positive
        case Want.OWN_OR_NOTHING:
            return reply.rcode in ("NXDOMAIN", "NOERROR")
        case Want.NO_ECH:
            return _no_ech(reply)


def _undecided(reply: Reply) -> bool | None:
    return None if reply.rcode == "SERVFAIL" and reply.ede & NO_UPSTREAM_EDE else False


def _leaks(reply: Reply) -> bool:
    """Blocked by its own word, yet a real answer inside: only 0.0.0.0, :: and local pages may."""
    return any(address == "192.0.2.1" for address in reply.addresses) or bool(reply.svc)


def _no_ech(reply: Reply) -> bool | None:
    if not reply.svc:
        return None if reply.blocked or reply.rcode == "NXDOMAIN" else _undecided(reply)
    return all(_ECH not in keys for keys in reply.svc)


def _extended_errors(record: DNSRecord) -> list[int]:
    return [
        int.from_bytes(option.data[:2], "big")
        for rr in record.ar
        if rr.rtype == 41
        for option in rr.rdata
        if option.code == _EDE and len(option.data) >= 2
    ]
