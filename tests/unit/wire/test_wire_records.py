"""Replies of upstreams: read whole or refused, written so that others read the same."""

from __future__ import annotations

import contextlib

import dns.flags
import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.errors import WireError
from filterd.wire import constants as c
from filterd.wire import svcb
from filterd.wire.records import MAX_RECORDS, parse_reply, render
from tests.lab.bombs import QUESTION, header

LINES = [
    "www.example. 300 IN CNAME Web.Example.",
    "web.example. 60 IN A 192.0.2.1",
    "web.example. 60 IN A 192.0.2.2",
    "example. 60 IN MX 10 mail.example.",
    "_s._tcp.example. 60 IN SRV 1 2 53 host.example.",
    "example. 60 IN SOA ns.example. h.example. 1 2 3 4 5",
    "example. 60 IN NAPTR 1 2 \"u\" \"s\" \"!x!y!\" r.example.",
    "t.example. 60 IN TYPE666 \\# 4 01020304",
    "www.example. 60 IN HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1",
    "d.example. 60 IN DNAME other.example.",
    "example. 60 IN TXT \"a\" \"b\"",
    "example. 60 IN RP a.example. b.example.",
    "4.3.2.1.example. 60 IN PTR www.example.",
]  # fmt: skip


def reply(lines: list[str]) -> dns.message.Message:
    query = dns.message.make_query("www.example", "A", use_edns=0)
    message = dns.message.make_response(query, recursion_available=True)
    for line in lines:
        owner, ttl, _, rtype, rdata = line.split(maxsplit=4)
        message.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", rtype, rdata))
    return message


@given(st.lists(st.sampled_from(LINES), max_size=20))
def test_what_is_read_and_written_means_the_same_to_others(lines: list[str]) -> None:
    original = reply(lines)
    message = parse_reply(original.to_wire())
    body = render(message.question, message.answer, message.authority)
    counts = b"".join(n.to_bytes(2, "big") for n in (1, body.answers, body.authorities, 0))
    again = dns.message.from_wire(
        original.to_wire()[:4] + counts + message.question + body.octets, one_rr_per_rrset=True
    )
    mine = sorted(rrset.to_text().lower() for rrset in again.answer)
    theirs = dns.message.from_wire(original.to_wire(), one_rr_per_rrset=True)
    assert mine == sorted(rrset.to_text().lower() for rrset in theirs.answer)
    assert len(body.ttls) == body.answers + body.authorities
    for at in body.ttls:
        assert int.from_bytes(body.octets[at : at + 4], "big") in (60, 300)


def test_extended_rcodes_and_options_are_read() -> None:
    query = dns.message.make_query("www.example", "A", use_edns=0)
    message = dns.message.make_response(query)
    message.set_rcode(16)
    read = parse_reply(message.to_wire())
    assert read.rcode == 16
    assert read.options == b""
    assert not read.additional


RECORD = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4"


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        header(1, 1) + QUESTION,
        header(2) + QUESTION,
        header(0, 1) + RECORD,
        header(1, 1) + QUESTION + RECORD[:-1],
        header(1, 1) + QUESTION + b"\xc0\x1d" + RECORD[2:],
        header(1, 1) + QUESTION + b"\xc0\xff" + RECORD[2:],
        header(1, 1) + QUESTION + b"\xc0\0" + RECORD[2:],
        header(1, 1) + QUESTION + b"\x80\x0c" + RECORD[2:],
        header(1, 1) + QUESTION + RECORD[:10] + b"\0\3\1\2\3",
        header(1, 1) + QUESTION + b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\2\xc0\x29",
        header(1, 1) + QUESTION + b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\3\xc0\x0c\0",
        header(1, 1) + QUESTION + b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\1\xc0\x0c",
        header(1, 1) + QUESTION + b"\xc0\x0c\0\6\0\1\0\0\0\x3c\0\4\xc0\x0c\xc0\x0c",
        header(1, MAX_RECORDS + 1) + QUESTION + RECORD * (MAX_RECORDS + 1),
    ],
)
def test_broken_replies_are_refused(wire: bytes) -> None:
    with pytest.raises(WireError):
        parse_reply(wire)


@given(st.binary(max_size=300))
def test_any_octets_are_a_reply_or_a_wire_error(octets: bytes) -> None:
    for wire in (octets, header(1, 3) + QUESTION + octets):
        with contextlib.suppress(WireError):
            parse_reply(wire)


@given(st.data())
def test_a_mutated_reply_is_a_reply_or_a_wire_error(data: st.DataObject) -> None:
    wire = bytearray(reply(LINES).to_wire())
    for _ in range(data.draw(st.integers(1, 6))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(wire)))
    try:
        message = parse_reply(bytes(wire[:cut]))
    except WireError:
        return
    render(message.question, message.answer, message.authority, message.additional)


@given(st.binary(max_size=80))
def test_any_rdata_is_a_service_or_a_wire_error(rdata: bytes) -> None:
    try:
        service = svcb.parse(rdata)
    except WireError:
        return
    assert service.rdata() == rdata
    assert all(len(address) in (4, 16) for address in service.addresses())


def test_parameters_leave_a_service_and_its_mandatory_list() -> None:
    text = "1 t.example. mandatory=alpn,ech alpn=h2 ipv4hint=192.0.2.1,192.0.2.2 ech=AAQAAAAA"
    rdata = dns.rrset.from_text("x.", 1, "IN", "HTTPS", text)[0].to_wire()
    service = svcb.parse(rdata)
    assert service.target == b"\1t\x07example\0"
    assert service.addresses() == (bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
    without = service.without(frozenset({c.SVC_ECH})).rdata()
    written = dns.rdata.from_wire("IN", "HTTPS", without, 0, len(without)).to_text()
    assert "ech" not in written
    assert 'mandatory="alpn"' in written
