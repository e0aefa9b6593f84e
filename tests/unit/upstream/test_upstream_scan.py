"""The walk over replies: what it accepts dnspython accepts, nothing breaks it, nothing is slow."""

from __future__ import annotations

import struct
import time

import dns.exception
import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.upstream.scan import answer_data, clip, inspect
from filterd.wire.names import from_text, to_wire

QUESTION = b"\x03www\x07example\0\0\1\0\1"


def header(qd: int = 1, an: int = 0, ns: int = 0, ar: int = 0) -> bytes:
    return struct.pack("!6H", 1, 0x8180, qd, an, ns, ar)


def reply(*answers: tuple[str, str, str]) -> dns.message.Message:
    message = dns.message.make_response(dns.message.make_query("www.example", "A", use_edns=0))
    for name, rtype, data in answers:
        message.answer.append(dns.rrset.from_text(name, 300, "IN", rtype, data))
    return message


def test_an_ordinary_reply() -> None:
    message = reply(("www.example.", "CNAME", "a.example."), ("a.example.", "A", "192.0.2.1"))
    wire = message.to_wire()
    facts = inspect(wire)
    assert facts is not None
    assert (facts.rcode, facts.truncated, facts.end, facts.has_opt) == (0, False, len(wire), True)
    assert answer_data(wire, 1) == (b"\xc0\0\2\1",)


def test_octets_behind_the_last_record_are_left_out() -> None:
    wire = reply(("www.example.", "A", "192.0.2.1")).to_wire()
    facts = inspect(wire + b"garbage")
    assert facts is not None
    assert facts.end == len(wire)


def test_extended_errors_and_cookies_are_read() -> None:
    message = reply()
    message.use_edns(
        0,
        options=[
            dns.edns.CookieOption(b"12345678", b"abcdefgh"),
            dns.edns.EDEOption(6, "bogus"),
        ],
    )
    message.set_rcode(23)
    facts = inspect(message.to_wire())
    assert facts is not None
    assert (facts.rcode, facts.cookie, facts.ede) == (23, b"12345678abcdefgh", 6)


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        header()[:11],
        header(2) + QUESTION * 2,
        header(0),
        header(1, 1) + QUESTION,
        header(1, 1) + QUESTION + b"\xc0\x1d\0\1\0\1\0\0\0\1\0\4abcd",
        header(1, 1) + QUESTION + b"\xc0\xff\0\1\0\1\0\0\0\1\0\4abcd",
        header(1, 1) + QUESTION + b"\x40\0\1\0\1\0\0\0\1\0\4abcd",
        header(1, 1) + QUESTION + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\5abcd",
        header(1, 1) + QUESTION + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\3abc",
        header(1, 1) + QUESTION + b"\xc0\x0c\0\5\0\1\0\0\0\1\0\4\1a\xc0\x29",
        header(1, 0, 0, 2) + QUESTION + b"\0\0\x29\4\xd0\0\0\0\0\0\0" * 2,
        header(1, 0, 0, 1) + QUESTION + b"\1a\0\0\x29\4\xd0\0\0\0\0\0\0",
        header(1, 0, 0, 1) + QUESTION + b"\0\0\x29\4\xd0\0\0\0\0\0\4\0\x0a\0\1",
        header(1, 600) + QUESTION + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4abcd" * 600,
        header(1, 1) + QUESTION + b"\1a" * 128 + b"\0\0\1\0\1\0\0\0\1\0\4abcd",
    ],
    ids=[
        "empty", "short header", "two questions", "no question", "record missing",
        "pointer to itself", "pointer forwards", "label type 01", "RDLENGTH beyond the end",
        "A of three octets", "loop inside a CNAME", "two OPTs", "OPT below a name",
        "option beyond its OPT", "too many records", "a name of 257 octets",
    ],
)  # fmt: skip
def test_broken_replies(wire: bytes) -> None:
    assert inspect(wire) is None


@given(st.binary(max_size=600))
def test_random_octets_never_raise(octets: bytes) -> None:
    inspect(octets)


@given(st.data())
def test_a_mutated_reply_is_refused_or_read_by_dnspython_too(data: st.DataObject) -> None:
    wire = bytearray(
        reply(
            ("www.example.", "CNAME", "a.example."),
            ("a.example.", "A", "192.0.2.1"),
            ("a.example.", "MX", "10 mail.example."),
            ("a.example.", "SRV", "1 2 3 target.example."),
        ).to_wire()
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(4, len(wire) - 1))
        wire[at] = data.draw(st.integers(0, 255))
    facts = inspect(bytes(wire))
    if facts is None:
        return
    # owners and lengths must be readable for dnspython too; the data of types that filterd does
    # not look into (say, a compressed name inside TKEY) is its errors' matter, not ours
    dns.message.from_wire(bytes(wire), ignore_trailing=True, continue_on_error=True)


def bombs() -> dict[str, bytes]:
    pointer = b"\xc0\x0c\0\2\0\1\0\0\0\x3c\0\2\xc0\x0c"
    chain = b"".join(struct.pack("!H", 0xC000 | (29 + 2 * n)) for n in range(3950))
    options = struct.pack("!HH", 65001, 0) * 15900
    return {
        "127 labels, 4661 records": header(1, 4661) + b"\1a" * 126 + b"\0\0\1\0\1" + pointer * 4661,
        "127 labels, 512 records": header(1, 512) + b"\1a" * 126 + b"\0\0\1\0\1" + pointer * 512,
        "chained pointers": header(1, 2)
        + QUESTION
        + b"\xc0\x0c\xff\xff\0\1\0\0\0\1"
        + struct.pack("!H", len(chain))
        + chain
        + b"\xff\x00\0\1\0\1\0\0\0\1\0\4abcd",
        "empty options": header(1, 0, 0, 1)
        + QUESTION
        + b"\0\0\x29\4\xd0\0\0\0\0"
        + struct.pack("!H", len(options) & 0xFFFF)
        + options,
        "distinct addresses": header(1, 500)
        + QUESTION
        + b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + struct.pack("!I", n) for n in range(500)),
        "questions": header(13000) + QUESTION * 13000,
    }


@pytest.mark.parametrize("bomb", bombs())
def test_packet_bombs_cost_little(bomb: str) -> None:
    wire = bombs()[bomb]
    best = min(_seconds(wire) for _ in range(3))
    assert best < 0.02


def _seconds(wire: bytes) -> float:
    begun = time.process_time()
    inspect(wire)
    return time.process_time() - begun


def test_clip_keeps_the_zone_and_the_opt() -> None:
    zone = to_wire(from_text("example"))
    message = reply(
        ("www.example.", "CNAME", "a.example."),
        ("a.example.", "CNAME", "bank.test."),
        ("bank.test.", "A", "203.0.113.66"),
    )
    message.authority.append(dns.rrset.from_text("example.", 60, "IN", "NS", "ns.example."))
    message.additional.append(dns.rrset.from_text("x.example.", 60, "IN", "A", "192.0.2.9"))
    clipped = dns.message.from_wire(clip(message.to_wire(), zone))
    assert [str(rrset.name) for rrset in clipped.answer] == ["www.example.", "a.example."]
    assert (clipped.authority, clipped.additional, clipped.edns) == ([], [], 0)


def test_clip_leaves_negative_answers_whole() -> None:
    message = reply()
    soa = "ns.example. h.example. 1 2 3 4 5"
    message.authority.append(dns.rrset.from_text("example.", 60, "IN", "SOA", soa))
    wire = message.to_wire()
    assert clip(wire, to_wire(from_text("example"))) == wire
    assert dns.message.from_wire(clip(wire, to_wire(from_text("ample")))).authority == []
