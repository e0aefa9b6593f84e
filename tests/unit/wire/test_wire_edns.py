"""Options we write: cookies as RFC 9018 computes them, errors that stay short, sizes that fit."""

from __future__ import annotations

import dns.message
import dns.rrset
from hypothesis import given
from hypothesis import strategies as st

from filterd.wire import edns
from filterd.wire.query import parse_query
from filterd.wire.records import parse_reply, render
from filterd.wire.response import Answer, assemble


def test_siphash_of_its_authors() -> None:
    """The test vector of the SipHash paper, appendix A."""
    assert edns.siphash24(bytes(range(16)), bytes(range(15))).hex() == "e545be4961ca29a1"


def test_the_server_cookie_of_rfc_9018_appendix_a_1() -> None:
    secret = bytes.fromhex("e5e973e5a6b2a43f48e7dc849e37bfcf")
    client = bytes.fromhex("2464c4abcf10c957")
    made = edns.server_cookie(client, bytes([198, 51, 100, 100]), secret, 1_559_731_985)
    assert made.hex() == "010000005cf79f111f8130c3eee29480"


@given(st.text())
def test_an_extended_error_is_short_and_readable(text: str) -> None:
    option = edns.ede(15, text)
    assert len(option) <= 4 + 2 + 96
    assert text.startswith(option[6:].decode("utf-8"))


def big(records: int) -> bytes:
    query = dns.message.make_query("big.example", "A")
    reply = dns.message.make_response(query)
    texts = [f"192.0.{n >> 8}.{n & 255}" for n in range(records)]
    if texts:
        reply.answer.append(dns.rrset.from_text("big.example.", 60, "IN", "A", *texts))
    return reply.to_wire()


@given(st.integers(0, 200), st.sampled_from([None, 0, 400, 512, 900, 1232, 4096]), st.booleans())
def test_a_response_fits_or_says_that_it_does_not(
    records: int, size: int | None, stream: bool
) -> None:
    use = {"use_edns": -1} if size is None else {"use_edns": 0, "payload": size}
    query = parse_query(dns.message.make_query("big.example", "A", **use).to_wire())
    message = parse_reply(big(records))
    body = render(query.question, message.answer)
    parts = assemble(query, Answer(0, body), stream)
    wire = b"\0\1" + parts.head + query.question + parts.tail
    limit = 65_535 if stream else min(max(size or 512, 512), 1232)
    assert len(wire) <= limit
    truncated = bool(wire[2] & 2)
    read = dns.message.from_wire(wire, ignore_trailing=False)
    assert (read.edns >= 0) == (size is not None)
    found = sum(len(rrset) for rrset in read.answer)
    assert found == (0 if truncated else records)
    assert truncated == (
        12 + len(query.question) + len(body.octets) + 11 * (size is not None) > limit
    )
