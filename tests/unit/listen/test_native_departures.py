"""Questions that leave together: each arrives as it is; what cannot leave is handed over."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from filterd.listen import drain
from filterd.metrics.counters import Counters
from filterd.resolve.forward_ports import Event, Forward
from filterd.resolve.forwarding import places
from filterd.upstream.handover import What
from tests.lab import namespaces
from tests.lab.packets import query

pytestmark = pytest.mark.skipif(not drain.COMPILED, reason="nothing was compiled here")

SOURCE = b"\0" * 10 + b"\xff\xff\x7f\0\0\1"
QUESTIONS = 480
"""More than sockets may be opened at once, so that they are shared; fewer than a crowd is."""
HEADER, TAIL = 12, 4 + 11 + 4 + 8
"""Of what is sent: before the name; type and class, OPT, the option COOKIE and eight octets."""


def events_of(forward: Forward, wanted: int) -> list[Event]:
    """What it hands over, `wanted` of it or what comes in 10 s, as its descriptor tells."""
    found: list[Event] = []
    deadline = time.monotonic() + 10
    while len(found) < wanted and time.monotonic() < deadline:
        if select.select([forward.fileno()], [], [], 0.5)[0]:
            found += forward.run()
    return found


@contextlib.contextmanager
def asked(port: int, names: list[str]) -> Iterator[tuple[Forward, int]]:
    """The forwarding, to that port here, of a listener that was asked for these names sixty at a
    time; and how many it left to the handler. Nobody looks at what the sockets say meanwhile."""
    counters = Counters.private()
    memo = drain.open_memo(counters.values, 1 << 20)
    patience_ms = 60_000

    def order() -> None:
        assert forward is not None
        lane = ("127.0.0.1", port, bytes(8), True, patience_ms)
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
        for number, name in enumerate(names):
            client.send(query(name, ident=number))
            if number % 60 == 59:
                left += len(loop.run(2))
        yield forward, left
        for name in names:  # who waits holds the listener, and that the forwarding and its sockets
            forward.hand_over(query(name)[HEADER:])
    forward = None  # `order` holds it, and it holds `order`


def test_a_question_that_could_not_be_sent_is_handed_over_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        closed = nobody.getsockname()[1]
    with asked(closed, [f"n{number}.example" for number in range(QUESTIONS)]) as (forward, left):
        events = events_of(forward, QUESTIONS - left)
    assert {What(event[0]) for event in events} <= {What.REFUSED, What.LIED}
    rows = [row for event in events for row in event[-1]]
    assert len({row[1] for row in rows}) == len(rows) == QUESTIONS - left
    assert len(rows) > QUESTIONS / 2


def arrivals(names: list[str]) -> tuple[list[bytes], int]:
    """What an upstream gets when these are asked, and how many ports it comes from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as upstream:
        upstream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        upstream.bind(("127.0.0.1", 0))
        upstream.setblocking(False)
        found, ports = [], set()
        with asked(upstream.getsockname()[1], names), contextlib.suppress(BlockingIOError):
            while True:
                wire, source = upstream.recvfrom(4096)
                found.append(wire)
                ports.add(source[1])
        return found, len(ports)


def names_in(wires: list[bytes]) -> list[str]:
    """The names they ask for, each of which fills its datagram but for what stands around it."""
    found = []
    for wire in wires:
        labels, rest = [], wire[HEADER:-TAIL]
        while rest[0]:
            labels.append(rest[1 : rest[0] + 1].decode().lower())
            rest = rest[rest[0] + 1 :]
        assert rest == b"\0"
        found.append(".".join(labels))
    return found


SIZES: dict[str, Callable[[int], int]] = {
    "one": lambda number: 1,
    "all different": lambda number: number % 50,
    "a few": lambda number: (number // 3) % 5 * 7,
    "seldom a long one": lambda number: 45 if number % 16 == 9 else 3,
}


@pytest.mark.parametrize("sizes", list(SIZES))
def test_what_leaves_together_arrives_one_by_one(sizes: str) -> None:
    names = [f"{'x' * SIZES[sizes](number)}n{number}.example" for number in range(QUESTIONS)]
    wires, ports = arrivals(names)
    assert sorted(names_in(wires)) == sorted(names)
    assert ports < QUESTIONS, "nothing shared a socket: this shows nothing"


def test_where_the_way_takes_no_runs_it_arrives_all_the_same() -> None:
    """An MTU that cuts the questions themselves: the kernel refuses a run of such."""
    namespaces.need()
    place = f"dep{os.getpid()}"
    names = [f"{'x' * (number % 50)}n{number}.example" for number in range(QUESTIONS)]
    subprocess.run(["ip", "netns", "add", place], check=True, timeout=20)
    try:
        link = ["ip", "-n", place, "link", "set", "lo", "up", "mtu", "90"]
        subprocess.run(link, check=True, timeout=20)
        wires, ports = namespaces.inside(place, lambda: arrivals(names))
    finally:
        subprocess.run(["ip", "netns", "del", place], check=True, timeout=20)
    assert sorted(names_in(wires)) == sorted(names)
    assert ports < QUESTIONS
