"""Which queries are read, and what the sender of any other is told."""

from __future__ import annotations

import contextlib
import struct

import dns.edns
import dns.message
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filterd.errors import WireError
from filterd.wire import constants as c
from filterd.wire.query import parse_query
from filterd.wire.response import refuse

NAME = b"\x03WwW\x07eXample\0"
PLAIN = struct.pack("!6H", 7, c.RD, 1, 0, 0, 0) + NAME + b"\0\x41\0\1"
OPT = b"\0" + struct.pack("!HHIH", c.OPT, 1400, 0x8000, 0)


def with_additional(*records: bytes, count: int | None = None) -> bytes:
    number = len(records) if count is None else count
    return PLAIN[:10] + struct.pack("!H", number) + PLAIN[12:] + b"".join(records)


def opt(options: bytes, owner: bytes = b"\0", claimed: int | None = None) -> bytes:
    length = len(options) if claimed is None else claimed
    return owner + struct.pack("!HHIH", c.OPT, 1232, 0, length) + options


def test_a_plain_query() -> None:
    query = parse_query(PLAIN)
    assert query.name_wire == NAME.lower()
    assert query.question == NAME + b"\0\x41\0\1"
    assert query.key == NAME.lower() + b"\0\x41\0\1"
    assert (query.qtype, query.qclass, query.edns) == (65, 1, None)


def test_edns_is_read_and_unknown_options_are_passed_over() -> None:
    edns = parse_query(with_additional(OPT)).edns
    assert edns is not None
    assert (edns.size, edns.version, edns.do, edns.bare) == (1400, 0, True, True)
    cookie = b"\0\x0a\0\x08" + b"12345678"
    edns = parse_query(with_additional(opt(b"\xff\xee\0\2hi" + cookie + b"\0\x0b\0\0"))).edns
    assert edns is not None
    assert (edns.cookie, edns.keepalive, edns.padding, edns.bare) == (
        b"12345678",
        True,
        False,
        False,
    )


def test_one_padding_alone_asks_for_nothing_else() -> None:
    padded = b"\0\x0c\0\3\0\0\0"
    for options, bare in ((padded, True), (b"\0\x0c\0\0", True), (padded * 2, False)):
        edns = parse_query(with_additional(opt(options))).edns
        assert edns is not None
        assert (edns.padding, edns.bare) == (True, bare)


@pytest.mark.parametrize(
    ("wire", "rcode"),
    [
        (b"", None),
        (PLAIN[:11], None),
        (PLAIN[:2] + b"\x81" + PLAIN[3:], None),
        (PLAIN[:2] + b"\x78\0" + PLAIN[4:], c.NOTIMP),
        (PLAIN[:2] + b"\x21\0" + PLAIN[4:], c.NOTIMP),
        (PLAIN[:2] + b"\x29\0" + PLAIN[4:], c.NOTIMP),
        (PLAIN[:4] + b"\0\2" + PLAIN[6:] + PLAIN[12:], c.FORMERR),
        (PLAIN[:4] + b"\0\0" + PLAIN[6:12], c.FORMERR),
        (PLAIN[:-1], c.FORMERR),
        (PLAIN + b"\0", c.FORMERR),
        (PLAIN[:12] + b"\xc0\x0c\0\1\0\1", c.FORMERR),
        (PLAIN[:12] + b"\x40" + PLAIN[13:], c.FORMERR),
        (PLAIN[:12] + b"\x3f" + b"a" * 63 + b"\x3f" + b"a" * 63 + b"\x3f" + b"a" * 63 + b"\x3f"
         + b"a" * 63 + b"\0\0\1\0\1", c.FORMERR),
        (with_additional(OPT, OPT), c.FORMERR),
        (with_additional(opt(b"", owner=NAME)), c.FORMERR),
        (with_additional(opt(b"", owner=b"\xc0\x0c")), c.FORMERR),
        (with_additional(opt(b"", claimed=1)), c.FORMERR),
        (with_additional(opt(b"\0\x0a\0")), c.FORMERR),
        (with_additional(opt(b"\0\x0a\0\x09" + bytes(8))), c.FORMERR),
        (with_additional(opt(b"\0\x0a\0\x07" + bytes(7))), c.FORMERR),
        (with_additional(opt(b"\0\x0a\0\x0c" + bytes(12))), c.FORMERR),
        (with_additional(opt(b"\xff\xfe\0\0" * 65)), c.FORMERR),
        (with_additional(count=1), c.FORMERR),
        (with_additional(OPT, b"\xc0\xff" + OPT[1:]), c.FORMERR),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_so(wire: bytes, rcode: int | None) -> None:
    with pytest.raises(WireError) as caught:
        parse_query(wire)
    assert caught.value.rcode == rcode


def test_the_refusal_has_clean_flags() -> None:
    every_flag = PLAIN[:2] + b"\x7f\x7f" + PLAIN[4:]
    response = dns.message.from_wire(refuse(every_flag, c.NOTIMP))
    assert (response.id, response.opcode(), response.rcode()) == (7, 15, c.NOTIMP)
    assert struct.unpack("!H", refuse(every_flag, c.NOTIMP)[2:4])[0] & 0x07F0 == 0
    assert not response.question


@given(st.binary(max_size=200))
@example(PLAIN)
def test_any_octets_are_a_query_or_a_wire_error(octets: bytes) -> None:
    try:
        query = parse_query(octets)
    except WireError:
        return
    assert query.question in octets
    assert len(query.name_wire) <= 255


@given(st.binary(min_size=1, max_size=12), st.integers(0, 40), st.binary(max_size=4))
def test_a_mutated_query_is_a_query_or_a_wire_error(piece: bytes, at: int, tail: bytes) -> None:
    whole = with_additional(opt(b"\0\x0a\0\x08" + bytes(8)))
    mutated = whole[:at] + piece + whole[at + len(piece) :] + tail
    with contextlib.suppress(WireError):
        parse_query(mutated)


LABELS = st.lists(st.binary(min_size=1, max_size=30), min_size=0, max_size=6)


@given(LABELS, st.integers(0, 65_535), st.booleans(), st.booleans())
def test_what_dnspython_writes_is_read_the_same(
    labels: list[bytes], rtype: int, edns: bool, do: bool
) -> None:
    name = dns.name.Name([*labels, b""])
    written = dns.message.make_query(name, rtype, use_edns=0 if edns or do else -1, want_dnssec=do)
    query = parse_query(written.to_wire())
    assert query.name_wire == name.to_wire().lower()
    assert query.qtype == rtype
    assert (query.edns is not None) == (edns or do)
    assert query.edns is None or query.edns.do == do
