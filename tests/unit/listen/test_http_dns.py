"""What DNS requests over HTTP mean, whatever carried them."""

from __future__ import annotations

import base64

import pytest
from dnslib import QTYPE, RR, SOA, A, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from filterd.listen.http_dns import Asked, Request, Response, answer, max_age, read_request

TYPE = "application/dns-message"
QUERY = bytes(DNSRecord.question("www.example").pack())


def test_post_and_get_carry_the_same() -> None:
    text = base64.urlsafe_b64encode(QUERY).decode().rstrip("=")
    posted = read_request(Request("POST", "/dns-query", f"{TYPE}; x=y", QUERY))
    got = read_request(Request("GET", f"/dns-query?dns={text}"))
    assert posted == got == Asked(QUERY, None)


@pytest.mark.parametrize(
    ("path", "device"),
    [
        ("/dns-query/tablet-7", "tablet-7"),
        ("/dns-query/TABLET-7", "tablet-7"),
        ("/dns-query/", None),
        ("/dns-query/-x", None),
        ("/dns-query/a.b", None),
        ("/dns-query/" + "a" * 64, None),
        ("/DNS-QUERY/tablet", None),
        ("//dns-query/tablet", None),
    ],
)
def test_tokens(path: str, device: str | None) -> None:
    got = read_request(Request("POST", path, TYPE, QUERY))
    assert got == (Asked(QUERY, device) if device else Response(404, got.headers))  # type: ignore[union-attr]


@given(st.text(max_size=20), st.text(max_size=200), st.text(max_size=40), st.binary(max_size=60))
def test_any_request_is_read_or_refused(
    method: str, target: str, media_type: str, body: bytes
) -> None:
    for target_ in (target, "/dns-query" + target, "/dns-query?dns=" + target):
        got = read_request(Request(method, target_, media_type, body))
        assert isinstance(got, Asked) or 400 <= got.status < 500


def reply(*ttls: int, soa: tuple[int, int] | None = None, rcode: int = 0) -> bytes:
    record = DNSRecord.question("www.example").reply()
    record.header.rcode = rcode
    for ttl in ttls:
        record.add_answer(RR("www.example", QTYPE.A, ttl=ttl, rdata=A("192.0.2.1")))
    if soa:
        times = (1, 2, 3, 4, soa[1])
        record.add_auth(RR("example", QTYPE.SOA, ttl=soa[0], rdata=SOA("a.b", "c.d", times)))
    return bytes(record.pack())


@pytest.mark.parametrize(
    ("wire", "age"),
    [
        (reply(300, 20, 60), 20),
        (reply(soa=(600, 30)), 30),
        (reply(soa=(10, 30), rcode=3), 10),
        (reply(), 0),
        (reply(300, rcode=2), 0),
        (b"garbage", 0),
    ],
    ids=["shortest", "SOA minimum", "SOA TTL", "nothing", "failure", "garbage"],
)
def test_freshness_is_the_shortest_ttl(wire: bytes, age: int) -> None:
    assert max_age(wire) == age
    assert dict(answer(wire).headers)["cache-control"] == f"private, max-age={age}"
