"""Queries as they leave and how replies are matched to them (RFC 5452, RFC 8467, 0x20)."""

from __future__ import annotations

import dns.flags
import dns.message
from hypothesis import given
from hypothesis import strategies as st

from filterd.upstream.message import (
    Fit,
    bare_refusal,
    build,
    cookie_option,
    fit,
    mix_case,
    padding_option,
)
from filterd.upstream.question import UpstreamQuestion
from filterd.wire.names import from_text, to_wire

NAME = to_wire(from_text("www.example.com"))
LABEL = st.binary(min_size=1, max_size=40).map(lambda octets: bytes([len(octets)]) + octets)
NAMES = st.lists(LABEL, max_size=5).map(lambda labels: b"".join(labels) + b"\0")


def answered(query: bytes) -> bytearray:
    wire = bytearray(query)
    wire[2] |= 0x80
    return wire


def test_a_query_says_only_what_is_ours() -> None:
    wire = build(UpstreamQuestion(NAME, 28, do=True, cd=True), 0x1234, name=NAME)
    message = dns.message.from_wire(wire)
    assert message.id == 0x1234
    assert message.flags == dns.flags.RD | dns.flags.AD | dns.flags.CD
    assert message.question[0].to_text() == "www.example.com. IN AAAA"
    assert (message.edns, message.payload, message.ednsflags) == (0, 1232, dns.flags.DO)
    assert message.options == ()


def test_without_edns_there_is_no_opt() -> None:
    message = dns.message.from_wire(build(UpstreamQuestion(NAME, 1), 1, name=NAME, edns=False))
    assert message.edns == -1


@given(NAMES)
def test_padded_queries_are_multiples_of_128(name: bytes) -> None:
    options = padding_option(12 + len(name) + 4 + 11)
    wire = build(UpstreamQuestion(name, 1), 0, name=name, options=options)
    assert len(wire) % 128 == 0


@given(NAMES, st.data())
def test_mixed_case_is_the_same_name(name: bytes, data: st.DataObject) -> None:
    chance = data.draw(st.binary(min_size=len(name), max_size=len(name)))
    mixed = mix_case(name, chance)
    assert mixed.lower() == name.lower()
    assert len(mixed) == len(name)
    at = 0
    while name[at]:
        assert mixed[at] == name[at], "a length octet is no letter"
        at += 1 + name[at]


def test_every_letter_can_change() -> None:
    assert mix_case(NAME, b"\xff" * len(NAME)) == NAME.upper()
    assert mix_case(NAME, bytes(len(NAME))) == NAME


def test_what_fits_and_what_does_not() -> None:
    query = build(UpstreamQuestion(NAME, 1), 0x0102, name=NAME.upper())
    good = answered(query)
    end = 12 + len(NAME) + 4
    assert fit(query, bytes(good)) is Fit.GOOD
    assert fit(query, bytes(good[:11])) is Fit.FOREIGN
    assert fit(query, b"\1\3" + bytes(good[2:])) is Fit.WRONG_ID
    assert fit(query, bytes(good[:12]) + NAME + bytes(good[12 + len(NAME) :])) is Fit.WRONG_CASE
    assert fit(query, bytes(good[: end - 3]) + b"\x1c\0\1") is Fit.FOREIGN
    assert fit(query, query) is Fit.FOREIGN, "QR is not set"
    assert fit(query, bytes(good[:5]) + b"\0" + bytes(good[6:])) is Fit.FOREIGN, "no question"
    assert fit(query, bytes(good[:12])) is Fit.FOREIGN, "header only"


@given(st.binary(max_size=80))
def test_matching_never_raises(octets: bytes) -> None:
    query = build(UpstreamQuestion(NAME, 1), 0x0102, name=NAME)
    fit(query, octets)
    bare_refusal(query, octets)
    fit(query, b"\1\2\x80\0\0\1" + octets)


def test_a_bare_refusal_of_edns() -> None:
    query = build(UpstreamQuestion(NAME, 1), 0x0102, name=NAME)
    assert bare_refusal(query, b"\1\2\x81\x81" + bytes(8))
    assert not bare_refusal(query, b"\1\2\x81\x82" + bytes(8))
    assert not bare_refusal(query, b"\1\3\x81\x81" + bytes(8))


def test_cookies_are_ours_then_theirs() -> None:
    assert cookie_option(b"12345678", b"abcdefgh") == b"\0\x0a\0\x1012345678abcdefgh"
