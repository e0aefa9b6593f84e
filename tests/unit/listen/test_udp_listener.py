"""UDP as clients meet it: answers come from the address that was asked, strangers are refused."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import dns.message
import dns.query
import pytest

from filterd.listen.admission import Admission
from filterd.listen.udp import UdpListener
from filterd.metrics import layout
from tests.lab.school import Bench, alias, block, pupils_without


def ask(name: str, where: str, port: int, source: str | None = None) -> dns.message.Message:
    """dnspython refuses an answer that comes from another address than was asked."""
    return dns.query.udp(dns.message.make_query(name, "A"), where, 5, port, source)


@pytest.mark.parametrize(
    ("bound", "asked"),
    [("0.0.0.0", "127.0.0.5"), ("127.0.0.1", "127.0.0.1"), ("::", "::1"), ("::1", "::1")],
)
async def test_the_answer_comes_from_the_address_that_was_asked(bound: str, asked: str) -> None:
    family = socket.AF_INET6 if ":" in bound else socket.AF_INET
    bench = Bench(
        pupils_without({"game.example": block()}),
        {"www.example A": ["www.example. 300 A 192.0.2.1"]},
    )
    bench.handler.placements._allowed = lambda address: True
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((bound, 0))
        listener = UdpListener(sock, bench.memo, bench.handler, bench.counters)
        port = sock.getsockname()[1]
        for _ in range(3):
            refused = await asyncio.to_thread(ask, "game.example", asked, port)
            assert refused.rcode() == 3
            allowed = await asyncio.to_thread(ask, "www.example", asked, port)
            assert str(allowed.answer[0][0]) == "192.0.2.1"
        listener.close()
    tier = layout.tier_index("primary")
    blocked = layout.query_place(tier, layout.BLOCKED, layout.UDP)
    cached = layout.query_place(tier, layout.CACHED, layout.UDP)
    forwarded = layout.query_place(tier, layout.FORWARDED, layout.UDP)
    assert [bench.counters.values[at] for at in (blocked, cached, forwarded)] == [3, 2, 1]


async def test_others_do_not_wait_behind_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred questions lie in the socket before one of somebody else."""
    bench = Bench(pupils_without({"game.example": block()}))
    bench.handler.placements._allowed = lambda address: True
    served: list[bytes] = []
    answer = bench.handler.try_answer

    def watched(wire: bytes, address: bytes, *rest: Any) -> bytes | None:
        served.append(address[12:])
        return answer(wire, address, *rest)

    monkeypatch.setattr(bench.handler, "try_answer", watched)
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    with sockets[0] as sock, sockets[1] as flood, sockets[2] as other:
        sock.bind(("127.0.0.1", 0))
        flood.bind(("127.0.9.9", 0))
        for n in range(200):
            flooded = dns.message.make_query(f"n{n}.game.example", "A")
            flood.sendto(flooded.to_wire(), sock.getsockname())
        other.bind(("127.0.9.10", 0))
        other.sendto(dns.message.make_query("game.example", "A").to_wire(), sock.getsockname())
        other.settimeout(5)
        listener = UdpListener(sock, bench.memo, bench.handler, bench.counters)
        refused = dns.message.from_wire(await asyncio.to_thread(other.recv, 4096))
        listener.close()
    assert refused.rcode() == 3
    assert len(served) == 201
    assert served.index(bytes([127, 0, 9, 10])) < 10


def test_only_the_networks_named_may_ask() -> None:
    admission = Admission(["10.0.0.0/8", "fe80::/10", "192.0.2.7/32"])
    for host, allowed in [
        (socket.inet_aton("10.9.8.7"), True),
        (bytes(10) + b"\xff\xff" + socket.inet_aton("10.9.8.7"), True),
        (socket.inet_aton("11.0.0.1"), False),
        (socket.inet_aton("192.0.2.7"), True),
        (socket.inet_aton("192.0.2.8"), False),
        (socket.inet_pton(socket.AF_INET6, "fe80::1"), True),
        (socket.inet_pton(socket.AF_INET6, "2001:db8::1"), False),
        (socket.inet_pton(socket.AF_INET6, "::10.0.0.1"), False),
    ]:
        assert admission.allows(host) is allowed, host
    assert not Admission([]).allows(socket.inet_aton("127.0.0.1"))


@pytest.mark.parametrize(
    ("asked", "uses", "refreshed"),
    [("www.example", 5, 1), ("www.example", 0, 0), ("search.example", 5, 1)],
    ids=["popular", "asked for once", "popular under another name"],
)
async def test_what_the_memo_repeats_is_prefetched_before_it_ends(
    asked: str, uses: int, refreshed: int
) -> None:
    """The handler sees none of these uses: the memo's count of them is brought to the cache."""
    bench = Bench(
        pupils_without({"search.example": alias("www.example")}),
        {"www.example A": ["www.example. 100 A 192.0.2.1"]},
    )
    bench.skew = -50
    await bench.ask(asked)
    await bench.ask(asked)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.11.1", 0))
        listener = UdpListener(sock, bench.memo, bench.handler, bench.counters)
        here = ("127.0.11.1", sock.getsockname()[1], "127.0.11.1")
        for _ in range(uses):
            found = await asyncio.to_thread(ask, asked, *here)
            assert found.answer
        listener.close()
    bench.handler.placements.collect()
    bench.skew = 45
    found = await bench.ask(asked)
    assert found.answer[-1].ttl <= 5
    assert bench.counters.values[layout.single_place("cache_prefetches")] == refreshed
    assert len(bench.upstream.asked) == 1 + refreshed
