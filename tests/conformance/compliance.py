"""34 checks of flags, opcodes and EDNS and 65 of record types, each one question a tool could ask.

The kinds of checks are those of ISC's DNS compliance tests (EDNS, FULL, COMM and TYPE groups, in
the mode for resolvers); the questions and what they want are written down here anew. Works on any
server that forwards to `tests.lab.signed`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from tests.lab.packets import AA, AD, CD, DO, RA, RD, TC, Opt, Z, query, tcp_ask, udp_ask

ZONE = "lab.example"
SOA, DNSKEY = 6, 48
NSID, SUBNET, EXPIRE, COOKIE, UNKNOWN = 3, 8, 9, 10, 100
OPTIONS = {
    "nsid": (NSID, b""),
    "cookie": (COOKIE, bytes(range(8))),
    "expire": (EXPIRE, b""),
    "subnet": (SUBNET, b"\0\1\0\0"),
}
TYPES = """
A NS MD MF CNAME SOA MB MG MR NULL WKS PTR HINFO MINFO MX TXT RP AFSDB X25 ISDN RT NSAP NSAP-PTR SIG
KEY PX GPOS AAAA LOC NXT SRV NAPTR KX CERT A6 DNAME APL DS SSHFP IPSECKEY RRSIG NSEC DNSKEY DHCID
NSEC3 NSEC3PARAM TLSA SMIMEA HIP CDS CDNSKEY OPENPGPKEY CSYNC ZONEMD SVCB HTTPS SPF NID L32 L64 LP
EUI48 EUI64 URI CAA
"""


@dataclass(frozen=True, slots=True)
class Check:
    """A question and what its answer must be. `flags` None: only what holds for every answer;
    `answer`: a type that must stand in the answer, "" none at all, None as it likes."""

    name: str
    qtype: int = SOA
    sent: int = RD
    opt: Opt | None = None
    opcode: int = 0
    tcp: bool = False
    rcodes: tuple[str, ...] = ("NOERROR",)
    flags: int | None = RD | RA
    answer: str | None = "SOA"
    most: int = 65_535
    owner: str = ZONE

    def wire(self) -> bytes:
        """What is sent."""
        return query(self.owner, self.qtype, self.sent, self.opt, opcode=self.opcode)


@dataclass(slots=True)
class Result:
    """How many checks there were and what was wrong, by check."""

    total: int = 0
    wrong: dict[str, list[str]] = field(default_factory=dict)

    @property
    def passed(self) -> int:
        return self.total - len(self.wrong)


def _plain() -> list[Check]:
    odd = AA | TC | RA | Z | AD | CD
    return [
        Check("dns"),
        Check("aa", sent=RD | AA),
        Check("ad", sent=RD | AD),
        Check("cd", sent=RD | CD, flags=RD | RA | CD),
        Check("ra", sent=RD | RA),
        Check("rd=0", sent=0, rcodes=("NOERROR", "REFUSED"), flags=RA, answer=None),
        Check("tc", sent=RD | TC),
        Check("zflag", sent=RD | Z),
        Check("opcode", opcode=15, sent=0, rcodes=("NOTIMP",), flags=0, answer=""),
        Check("opcodeflg", opcode=15, sent=odd, rcodes=("NOTIMP",), flags=0, answer=""),
        Check("type666", qtype=666, answer="TYPE666", owner=f"t666.{ZONE}"),
        Check("tcp", tcp=True),
    ]


def _edns() -> list[Check]:
    unknown = (UNKNOWN, b"\1\2\3")
    every = (*OPTIONS.values(), unknown)
    all_at_once = tuple(every)
    key = {"qtype": DNSKEY, "answer": None, "flags": None}
    checks = [
        Check("edns", opt=Opt()),
        _badvers("edns1", Opt(version=1)),
        Check("edns@512", opt=Opt(512, flags=DO), most=512, **{**key, "flags": RD | RA | TC}),
        Check("ednsopt", opt=Opt(options=(unknown,))),
        _badvers("edns1opt", Opt(version=1, options=(unknown,))),
        Check("do", opt=Opt(flags=DO), answer="RRSIG", flags=None),
        Check("docd", sent=RD | CD, opt=Opt(flags=DO), answer="RRSIG", flags=RD | RA | CD),
        _badvers("edns1do", Opt(version=1, flags=DO)),
        Check("ednsflags", opt=Opt(flags=0x0040)),
        Check("ednstcp", opt=Opt(), tcp=True),
        Check("edns@512tcp", opt=Opt(512, flags=DO), tcp=True, qtype=DNSKEY, answer="DNSKEY"),
        Check("optlist", opt=Opt(options=all_at_once)),
        Check("edns@0", opt=Opt(0, flags=DO), most=512, **{**key, "flags": RD | RA | TC}),
        Check("edns@4096", opt=Opt(4096, flags=DO), most=1232, **key),
    ]
    for name, option in OPTIONS.items():
        checks.append(Check(f"edns{name}", opt=Opt(options=(option,))))
        checks.append(_badvers(f"edns1{name}", Opt(version=1, options=(option,))))
    return checks


def _badvers(name: str, opt: Opt) -> Check:
    # RFC 6891 §6.1.3: BADVERS, the highest version known, and nothing looked up
    return Check(name, opt=opt, rcodes=("BADVERS",), flags=None, answer="")


FLAGS_AND_EDNS = tuple(_plain() + _edns())
RECORD_TYPES = tuple(
    Check(kind, qtype=int(dns.rdatatype.from_text(kind)), answer=None, flags=None,
          owner=f"www.{ZONE}")
    for kind in TYPES.split()
)  # fmt: skip


def run(port: int, checks: tuple[Check, ...]) -> Result:
    """Ask a server everything."""
    result = Result(len(checks))
    for check in checks:
        ask = tcp_ask if check.tcp else udp_ask
        wire = check.wire()
        if problems := judge(check, wire, ask(port, wire) or ask(port, wire)):
            result.wrong[check.name] = problems
    return result


def judge(check: Check, sent: bytes, reply: bytes | None) -> list[str]:
    """What is wrong with a reply; nothing: it is right."""
    if reply is None:
        return ["no answer"]
    try:
        message = dns.message.from_wire(reply)
    except (dns.exception.DNSException, ValueError) as error:
        return [f"unreadable: {error}"]
    problems = _always(check, sent, reply, message)
    rcode = dns.rcode.to_text(message.rcode())
    if rcode not in check.rcodes:
        problems.append(rcode)
    bits = message.flags & (AA | TC | RD | RA | CD)
    if check.flags is not None and bits != check.flags:
        problems.append(f"flags {dns.flags.to_text(bits) or '-'}")
    found = {dns.rdatatype.to_text(rrset.rdtype) for rrset in message.answer}
    if check.answer is not None and (check.answer not in found if check.answer else bool(found)):
        problems.append(f"answer holds {sorted(found) or 'nothing'}")
    if check in RECORD_TYPES and found - {check.name, "RRSIG", "CNAME"}:
        problems.append(f"answer holds {sorted(found)}")
    return problems


def _always(check: Check, sent: bytes, reply: bytes, message: dns.message.Message) -> list[str]:
    problems = []
    (flags,) = struct.unpack_from("!H", reply, 2)
    if reply[:2] != sent[:2] or not flags & 0x8000 or (flags >> 11 & 15) != check.opcode:
        problems.append("id, QR or opcode")
    if flags & Z:
        problems.append("Z set")
    if not check.opcode and (not message.question or message.question[0].rdtype != check.qtype):
        problems.append("question not echoed")
    if len(reply) > check.most:
        problems.append(f"{len(reply)} octets")
    if (message.edns >= 0) != (check.opt is not None):
        problems.append("OPT" if message.edns >= 0 else "no OPT")
    if check.opt is not None and message.edns >= 0:
        problems += _opt_problems(check.opt, message)
    return problems


def _opt_problems(opt: Opt, message: dns.message.Message) -> list[str]:
    problems = []
    if message.edns != 0:
        problems.append(f"EDNS version {message.edns}")
    if message.ednsflags & 0x7FFF:
        problems.append("unknown EDNS flag echoed")
    badvers = message.rcode() == dns.rcode.BADVERS
    if not badvers and bool(message.ednsflags & DO) != bool(opt.flags & DO):
        problems.append("DO not copied")
    if UNKNOWN in [int(option.otype) for option in message.options]:
        problems.append("unknown option echoed")
    return problems
