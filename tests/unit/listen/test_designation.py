"""The answer to `_dns.resolver.arpa`: our own DoH and DoT, as clients read it (RFC 9462)."""

from __future__ import annotations

import dns.message
import dns.rdatatype
import pytest

from filterd.listen.designation import designation
from filterd.policy.verdict import Local
from filterd.resolve import synthesis
from filterd.wire.query import parse_query
from filterd.wire.response import assemble

NAME = "_dns.resolver.arpa"


def published(values: tuple[str, ...]) -> list[dict[str, object]]:
    """What a client makes of the values, after the way through our own wire format."""
    wire = dns.message.make_query(NAME, "SVCB").to_wire()
    query = parse_query(wire)
    records = tuple((NAME, "SVCB", 300, value) for value in values)
    parts = assemble(query, synthesis.local(query, Local(0, records), None), False)
    message = dns.message.from_wire(wire[:2] + parts.head + query.question + parts.tail)
    return [
        {
            "priority": rdata.priority,
            "target": str(rdata.target),
            "params": {int(key): value.to_text().strip('"') for key, value in rdata.params.items()},
        }
        for rrset in message.answer
        for rdata in sorted(rrset, key=lambda one: one.priority)
        if rrset.rdtype == dns.rdatatype.SVCB
    ]


def test_both_ways_doh_first() -> None:
    values = designation(
        "dns.school.example",
        dot_port=853,
        doh_port=443,
        addresses=["192.0.2.53", "2001:db8::53", "0.0.0.0"],
    )
    assert published(values) == [
        {
            "priority": 1,
            "target": "dns.school.example.",
            "params": {
                1: "h2,http/1.1",
                3: "443",
                4: "192.0.2.53",
                6: "2001:db8::53",
                7: "/dns-query{?dns}",
            },
        },
        {
            "priority": 2,
            "target": "dns.school.example.",
            "params": {1: "dot", 3: "853", 4: "192.0.2.53", 6: "2001:db8::53"},
        },
    ]


@pytest.mark.parametrize(("dot", "doh", "alpn"), [(853, None, "dot"), (None, 8443, "h2,http/1.1")])
def test_one_way_alone(dot: int | None, doh: int | None, alpn: str) -> None:
    (only,) = published(designation("dns.school.example", dot_port=dot, doh_port=doh))
    assert only["priority"] == 1
    params = only["params"]
    assert isinstance(params, dict)
    assert params[1] == alpn


def test_nothing_is_said_without_an_endpoint() -> None:
    assert designation("dns.school.example", dot_port=None, doh_port=None) == ()
