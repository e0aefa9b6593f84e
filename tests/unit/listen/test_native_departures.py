"""Questions that leave together by sockets that cannot send: every one of them is handed over."""

from __future__ import annotations

import select
import socket
import time

import pytest

from filterd.listen import drain
from filterd.metrics.counters import Counters
from filterd.resolve.forward_ports import Event, Forward
from filterd.resolve.forwarding import places
from filterd.upstream.handover import What
from tests.lab.packets import query

pytestmark = pytest.mark.skipif(not drain.COMPILED, reason="nothing was compiled here")

SOURCE = b"\0" * 10 + b"\xff\xff\x7f\0\0\1"
QUESTIONS = 480
"""More than sockets may be opened at once, so that they are shared; fewer than a crowd is."""


def events_of(forward: Forward, wanted: int) -> list[Event]:
    """What it hands over, `wanted` of it or what comes in 10 s, as its descriptor tells."""
    found: list[Event] = []
    deadline = time.monotonic() + 10
    while len(found) < wanted and time.monotonic() < deadline:
        if select.select([forward.fileno()], [], [], 0.5)[0]:
            found += forward.run()
    return found


def test_a_question_that_could_not_be_sent_is_handed_over_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        closed = nobody.getsockname()[1]
    counters = Counters.private()
    memo = drain.open_memo(counters.values, 1 << 20)
    patience_ms = 60_000

    def order() -> None:
        assert forward is not None
        lane = ("127.0.0.1", closed, bytes(8), True, patience_ms)
        forward.order([lane], time.monotonic_ns() // 1_000_000 + 60_000)

    forward = drain.open_forward(
        memo, 1 << 20, (0, 86_400), 1000, lambda rules, source, key: (0, 0), order, places()
    )
    assert forward is not None
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        client.connect(server.getsockname())
        loop = drain.open_drain(server.fileno(), memo, None, forward, 0)
        memo.place(SOURCE, 1, 3, 0.0, 0.0)
        left = 0
        for number in range(QUESTIONS):
            client.send(query(f"n{number}.example", ident=number))
            if number % 60 == 59:  # nobody looks at what the sockets say meanwhile
                left += len(loop.run(2))
        events = events_of(forward, QUESTIONS - left)
    assert {What(event[0]) for event in events} <= {What.REFUSED, What.LIED}
    rows = [row for event in events for row in event[-1]]
    assert len({row[1] for row in rows}) == len(rows) == QUESTIONS - left
    assert len(rows) > QUESTIONS / 2
