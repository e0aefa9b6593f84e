"""The test names that filterd answers in the Internet's place."""

from __future__ import annotations

import dnslib
import pytest

from filterd.errors import UpstreamError
from filterd.policy import special_names
from filterd.policy.model import Name
from filterd.upstream.canaries import WithCanaries, canary_reply
from filterd.upstream.question import Told, UpstreamQuestion, UpstreamReply
from filterd.wire.constants import AAAA, HTTPS, A
from filterd.wire.names import ancestors, to_wire


def ask(name: str, qtype: int) -> dnslib.DNSRecord:
    reply = canary_reply(UpstreamQuestion(to_wire(Name(name)), qtype))
    assert reply is not None
    return dnslib.DNSRecord.parse(reply.wire)


def test_a_cloaked_name_points_at_its_category() -> None:
    said = ask("cloak-porn.canary.filterd.test", A)
    assert [str(rr.rdata) for rr in said.rr] == ["porn.canary.filterd.test.", "192.0.2.1"]


@pytest.mark.parametrize(("qtype", "address"), [(A, "10.0.0.1"), (AAAA, "fd00::1")])
def test_rebinding_name_has_a_private_address(qtype: int, address: str) -> None:
    said = ask("rebind.canary.filterd.test", qtype)
    assert str(said.rr[0].rdata).replace("0:0:0:0:0:0:", ":") == address


def test_the_ech_name_carries_ech() -> None:
    said = ask("ech.canary.filterd.test", HTTPS)
    assert [key for key, _ in said.rr[0].rdata.params] == [1, 4, 5]


@pytest.mark.parametrize(
    "name", ["example.com", "porn.canary.filterd.test", "a.cloak-porn.canary.filterd.test", ""]
)
async def test_other_names_go_to_the_pool(name: str) -> None:
    class Pool:
        def ask(self, question: UpstreamQuestion, deadline: float, done: Told) -> None:
            done(UpstreamReply(b"pool", "u", "udp"))

    found: list[UpstreamReply | UpstreamError] = []
    WithCanaries(Pool()).ask(UpstreamQuestion(to_wire(Name(name)), A), 1.0, found.append)
    assert found == [UpstreamReply(b"pool", "u", "udp")]


def test_the_policy_lets_them_through_to_be_judged() -> None:
    table = special_names.table(())
    for name in ("cloak-porn.canary.filterd.test", "rebind.canary.filterd.test"):
        assert special_names.find(table, frozenset(), ancestors(Name(name))) is None
    other = ancestors(Name("x.canary.filterd.test"))
    assert special_names.find(table, frozenset(), other) is not None
