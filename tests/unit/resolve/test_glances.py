"""Hits overtake what is worked on: the sockets are looked at in the middle of everything long."""

from __future__ import annotations

import asyncio
import select
import socket
import time

import dns.message

from filterd.listen.udp import UdpListener
from filterd.resolve.glances import EVERY_SECONDS, Glances
from tests.lab.school import Bench, block, pupils_without


def test_who_looks_is_called_when_it_is_time_and_no_more_after_it_left() -> None:
    now, looks = [10.0], [0, 0]
    glances = Glances(lambda: now[0])

    def first() -> None:
        looks[0] += 1

    def second() -> None:
        looks[1] += 1

    glances.add(first)
    glances.add(second)
    glances()
    glances()
    assert looks == [1, 1]
    now[0] += EVERY_SECONDS
    glances.remove(first)
    glances()
    assert looks == [1, 2]


async def test_a_hit_is_answered_while_other_work_is_in_hand() -> None:
    """The loop gets no turn: only the glance can have answered the second question."""
    bench = Bench(pupils_without({"game.example": block()}))
    bench.handler.placements._allowed = lambda address: True
    asked = dns.message.make_query("game.example", "A").to_wire()
    with socket.socket(type=socket.SOCK_DGRAM) as sock, socket.socket(type=2) as client:
        sock.bind(("127.0.0.1", 0))
        client.connect(sock.getsockname())
        listener = UdpListener(sock, bench.memo, bench.handler, bench.counters)
        client.send(asked)
        await asyncio.get_running_loop().run_in_executor(None, client.recv, 4096)
        client.send(asked)
        deadline = time.monotonic() + 5
        while not select.select([client], [], [], 0)[0] and time.monotonic() < deadline:
            bench.handler.between()
        assert dns.message.from_wire(client.recv(4096)).rcode() == 3
        listener.close()


async def test_what_a_glance_finds_for_the_handler_is_answered_in_its_turn() -> None:
    bench = Bench(pupils_without({"game.example": block()}))
    bench.handler.placements._allowed = lambda address: True
    with socket.socket(type=socket.SOCK_DGRAM) as sock, socket.socket(type=2) as client:
        sock.bind(("127.0.0.1", 0))
        client.connect(sock.getsockname())
        client.settimeout(10)
        listener = UdpListener(sock, bench.memo, bench.handler, bench.counters)
        client.send(dns.message.make_query("game.example", "A").to_wire())
        bench.handler.between()
        reply = await asyncio.get_running_loop().run_in_executor(None, client.recv, 4096)
        assert dns.message.from_wire(reply).rcode() == 3
        listener.close()
