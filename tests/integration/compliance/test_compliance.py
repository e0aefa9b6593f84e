"""99 questions on flags, EDNS and record types: none wrong; BIND says the laboratory is right."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conformance import broken, compliance
from tests.conformance.compliance import Check
from tests.lab.forwarders import PEERS, forwarding
from tests.lab.packets import Opt, query, tcp_ask, udp_ask
from tests.lab.running import RunningFilterd

BIND = next(peer for peer in PEERS if peer.title == "BIND")


@pytest.mark.parametrize(
    ("checks", "count"), [(compliance.FLAGS_AND_EDNS, 34), (compliance.RECORD_TYPES, 65)]
)
def test_every_question_is_answered_by_the_book(
    filterd: RunningFilterd, checks: tuple[Check, ...], count: int
) -> None:
    result = compliance.run(filterd.port, checks)
    assert result.total == count
    assert not result.wrong


def test_the_laboratory_agrees_with_bind(signed: int, tmp_path: Path) -> None:
    if BIND.installed is None:
        pytest.skip("needs Debian's bind9")
    with forwarding(BIND, tmp_path / "bind", signed) as peer:
        assert not compliance.run(peer.port, compliance.FLAGS_AND_EDNS).wrong
        assert not compliance.run(peer.port, compliance.RECORD_TYPES).wrong


def test_the_checks_can_fail() -> None:
    """A right answer is no complaint; each thing changed in it is one."""
    check = Check("edns", opt=Opt(), answer="")
    sent = check.wire()
    right = sent[:2] + struct.pack("!H", 0x8180) + sent[4:]
    assert compliance.judge(check, sent, right) == []
    changed = {
        "no answer": None,
        "id, QR or opcode": b"\0\0" + right[2:],
        "Z set": right[:3] + b"\xc0" + right[4:],
        "SERVFAIL": right[:3] + b"\x82" + right[4:],
        "no OPT": right[:10] + b"\0\0" + right[12:-11],
        "EDNS version 1": right[:-5] + b"\1" + right[-4:],
        "unknown EDNS flag echoed": right[:-3] + b"\x40" + right[-2:],
        "DO not copied": right[:-4] + b"\x80" + right[-3:],
    }
    for complaint, reply in changed.items():
        assert complaint in compliance.judge(check, sent, reply), complaint
    assert compliance.judge(replace(check, most=20), sent, right)
    assert compliance.judge(replace(check, answer="SOA"), sent, right)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize(
    ("changed", "rcode"),
    [
        ("qdcount 2", 1), ("qdcount 0", 1), ("two opts", 1), ("opt below a name", 1),
        ("rdlength too long", 1), ("option too long", 1), ("a pointer in the question", 1),
        ("octets behind", 1), ("notify", 4), ("update", 4), ("axfr", 5), ("class ch", 5),
        ("cookie of nine octets", 1),
    ],
)  # fmt: skip
def test_what_is_no_plain_question_is_told_so(
    filterd: RunningFilterd, changed: str, rcode: int, tcp: bool
) -> None:
    """RFC 9619 (QDCOUNT), 6891 §6.1.1 (OPT), 7873 §5.2.2 (COOKIE), and what is not served here."""
    plain, with_opt = query("www.lab.example"), query("www.lab.example", opt=Opt())
    opt = Opt().wire()
    cookie = query("www.lab.example", opt=Opt(options=((10, b"12345678"),)))
    wire = {
        "qdcount 2": plain[:5] + b"\2" + plain[6:] + plain[12:],
        "qdcount 0": plain[:5] + b"\0" + plain[6:12],
        "two opts": with_opt[:11] + b"\2" + with_opt[12:] + opt,
        "opt below a name": plain[:11] + b"\1" + plain[12:] + b"\1a" + opt,
        "rdlength too long": with_opt[:-1] + b"\x09",
        "option too long": cookie[:-9] + b"\x09" + cookie[-8:],
        "a pointer in the question": plain[:12] + b"\xc0\x0c" + plain[-4:],
        "octets behind": plain + b"x",
        "notify": query("lab.example", 6, opcode=4),
        "update": query("lab.example", 6, opcode=5),
        "axfr": query("lab.example", 252),
        "class ch": query("version.bind", 16, qclass=3),
        "cookie of nine octets": query("www.lab.example", opt=Opt(options=((10, b"123456789"),))),
    }[changed]  # fmt: skip
    reply = (tcp_ask if tcp else udp_ask)(filterd.port, wire)
    assert reply is not None and reply[:2] == wire[:2]
    assert reply[3] & 15 == rcode
    assert reply[6:8] == b"\0\0", "an answer to what could not be read"


def test_what_is_broken_in_one_of_54_ways_is_refused(filterd: RunningFilterd) -> None:
    outcome = broken.send(filterd.port)
    assert not outcome.wrong
    assert (outcome.formerr, outcome.silent) == (54, 0)
