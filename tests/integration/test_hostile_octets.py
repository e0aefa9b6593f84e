"""Bombs and broken messages from clients and from the upstream, beside a stream of good ones."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import dns.message
import pytest

from tests.conformance import heavy, robustness
from tests.lab.bombs import as_queries, bombs
from tests.lab.hostile_upstream import LETTERS, HostileUpstream, asking
from tests.lab.malformed import messages
from tests.lab.packets import query, tcp_ask, udp_ask
from tests.lab.processes import resident_mib
from tests.lab.running import RunningFilterd

CANARY = "allowed.canary.filterd.test"
SENT = 9_774
"""As many as there are in the largest public corpus."""


@pytest.fixture(scope="module")
def hostile() -> HostileUpstream:
    return HostileUpstream()


@pytest.fixture(scope="module")
def filterd(
    hostile: HostileUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningFilterd]:
    with hostile.serving() as upstream:
        made = RunningFilterd(
            tmp_path_factory.mktemp("hostile"), {"upstreams": [upstream.url], "workers": 1}
        )
        try:
            yield made.start()
        finally:
            made.stop()


def unharmed(filterd: RunningFilterd, before: float, stream: robustness.Stream) -> None:
    """Nobody else lost an answer; the wide bound is for machines that are busy besides."""
    assert stream.lost == 0
    assert stream.p99_ms < 5 * before + 100
    assert "Traceback" not in filterd.text()
    assert "answering broke" not in filterd.text()
    assert udp_ask(filterd.port, query(CANARY)) is not None


@pytest.fixture
def calm(filterd: RunningFilterd) -> float:
    """The p99 of good questions while nothing else happens, in ms."""
    with robustness.good_questions(filterd.port, CANARY) as stream:
        for _ in range(100):
            udp_ask(filterd.port, query(CANARY))
    return stream.p99_ms


def test_broken_messages_as_queries(filterd: RunningFilterd, calm: float) -> None:
    assert filterd.process is not None
    robustness.pelt(filterd.port, 2000)
    before = resident_mib(filterd.process.pid)
    with robustness.good_questions(filterd.port, CANARY) as stream:
        sent, rcodes = robustness.pelt(filterd.port, SENT)
    unharmed(filterd, calm, stream)
    assert sent > SENT
    assert rcodes <= {0, 1, 2, 3, 4, 5}, "BADVERS has its upper bits in OPT"
    assert resident_mib(filterd.process.pid) - before < 10


def test_bombs_as_queries_over_tcp(filterd: RunningFilterd, calm: float) -> None:
    with robustness.good_questions(filterd.port, CANARY) as stream:
        for wire in as_queries().values():
            reply = tcp_ask(filterd.port, wire)
            assert reply is None or reply[3] & 15 == 1
    unharmed(filterd, calm, stream)


def test_bombs_from_the_upstream(
    filterd: RunningFilterd, hostile: HostileUpstream, calm: float
) -> None:
    """Each is asked for under a name of its own, so that no cache answers for it."""
    seen = {}
    with robustness.good_questions(filterd.port, CANARY) as stream:
        for letter, (title, wire) in zip(LETTERS, bombs().items(), strict=False):
            hostile.hurl = wire
            reply = udp_ask(filterd.port, asking(wire, letter), 4.0)
            seen[title] = None if reply is None else reply[3] & 15
    unharmed(filterd, calm, stream)
    assert set(seen.values()) <= {0, 2}, seen
    assert seen["A: 4,661 owners of 127 labels"] == seen["F: 13,000 questions"] == 2


def test_no_bomb_costs_more_than_its_budget(
    filterd: RunningFilterd, hostile: HostileUpstream
) -> None:
    """The whole way of a message, in processor time; asserted three times as wide as promised."""
    pid = filterd.control.call("status.get")["workers"][0]["pid"]
    costs = heavy.bombs_as_queries(filterd.port, pid)
    replies = heavy.bombs_as_replies(filterd.port, pid, hostile)
    costs |= {f"{title}, as reply": cost for title, cost in replies.items()}
    print(f"most: {max(costs.values()):.1f} ms")
    assert max(costs.values()) < 60, costs


def test_broken_messages_from_the_upstream(
    filterd: RunningFilterd, hostile: HostileUpstream, calm: float
) -> None:
    """A reply is SERVFAIL or readable, never a copy of what could not be read."""
    hostile.many = [wire.ljust(12, b"\0") for wire in messages(11, 200, replies=True)]

    def ask(number: int) -> bytes | None:
        return udp_ask(filterd.port, query(f"aaa.q{number}.example", ident=number), 6.0)

    with robustness.good_questions(filterd.port, CANARY) as stream, ThreadPoolExecutor(25) as pool:
        replies = list(pool.map(ask, range(len(hostile.many))))
    unharmed(filterd, calm, stream)
    assert None not in replies
    for reply in replies:
        dns.message.from_wire(reply)
    found = {reply[3] & 15 for reply in replies if reply}
    assert found <= {0, 2, 3} and 2 in found
