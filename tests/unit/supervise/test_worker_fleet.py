"""The fleet with real processes on a real shared socket: nothing is lost but what a worker held."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from filterd.config import Address, Listen
from filterd.errors import ConfigError
from filterd.supervise.fleet import Fleet
from filterd.supervise.holder import port_holder
from filterd.supervise.sockets import Sockets, open_sockets
from filterd.supervise.worker import Plan

STAND_IN = Path(__file__).with_name("stand_in.py")


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a state, not for a time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.02)


@pytest.fixture
async def sockets() -> AsyncIterator[Sockets]:
    made = open_sockets(Listen(dns=(Address("127.0.0.1", 0),)))
    yield made
    made.close()


@pytest.fixture
async def fleet(sockets: Sockets) -> AsyncIterator[Fleet]:
    plan = Plan(
        lambda number: [{"do": "start", **sockets.numbers(), "slot": number}],
        [each.fileno() for each in sockets.all()],
        (sys.executable, str(STAND_IN)),
        silence_seconds=1.0,
    )
    made = Fleet(2, plan)
    await made.start()
    await until(lambda: made.ready == 2)
    yield made
    await made.stop()


class Client:
    """Asks the shared socket over UDP and waits for each answer."""

    def __init__(self, sockets: Sockets) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(sockets.udp[0].getsockname())

    async def ask(self) -> int | None:
        """The pid that answered, or None when nothing came."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._socket, b"q")
        try:
            return int((await asyncio.wait_for(loop.sock_recv(self._socket, 100), 5.0))[1:])
        except TimeoutError:
            return None


async def test_killing_a_worker_under_load_loses_at_most_what_it_held(
    fleet: Fleet, sockets: Sockets
) -> None:
    clients = [Client(sockets) for _ in range(4)]
    lost = answered = 0
    for round in range(60):
        asked = asyncio.gather(*(client.ask() for client in clients))
        if round % 20 == 10:
            killed = round // 20
            await until(lambda: fleet.ready == 2 and fleet.restarts == killed)  # noqa: B023
            pid = fleet.states()[killed % 2].pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        for found in await asked:
            lost += found is None
            answered += found is not None
    assert lost <= 3 and answered >= 237
    await until(lambda: fleet.ready == 2 and fleet.restarts == 3)


async def test_a_stopped_worker_is_silent_and_replaced(fleet: Fleet) -> None:
    before = fleet.states()[0].pid
    assert before is not None
    os.kill(before, signal.SIGSTOP)
    await until(lambda: fleet.states()[0].pid != before and fleet.ready == 2)


async def test_a_worker_whose_loop_is_stuck_is_replaced(fleet: Fleet) -> None:
    before = {state.pid for state in fleet.states()}
    assert await fleet.tell({"do": "block"}, 0.3) == []
    await until(lambda: fleet.ready == 2 and not before & {s.pid for s in fleet.states()})


async def test_a_worker_that_refuses_a_ruleset_is_replaced(fleet: Fleet) -> None:
    before = {state.pid for state in fleet.states()}
    assert await fleet.tell({"do": "refuse"}) == []
    await until(lambda: fleet.ready == 2 and not before & {s.pid for s in fleet.states()})


async def test_frames_reach_every_worker(fleet: Fleet) -> None:
    pids = {answer["pid"] for answer in await fleet.tell({"do": "ruleset", "text": "x" * 200_000})}
    assert pids == {state.pid for state in fleet.states()}


async def test_workers_end_with_the_fleet(fleet: Fleet) -> None:
    pids = [state.pid for state in fleet.states()]
    await fleet.stop()
    for pid in pids:
        assert not Path(f"/proc/{pid}").exists()


async def test_a_worker_that_cannot_start_is_tried_again_with_a_pause() -> None:
    fleet = Fleet(1, Plan(lambda number: [{"do": "start"}], [], (sys.executable, "-c", "exit(3)")))
    with pytest.raises(TimeoutError):
        await fleet.start(0.7)
    tried = fleet.restarts
    await fleet.stop()
    assert 1 <= tried <= 6


def test_a_taken_port_names_its_holder_and_nothing_is_half_open() -> None:
    taken = open_sockets(Listen(dns=(Address("127.0.0.1", 0),)))
    port = taken.udp[0].getsockname()[1]
    with pytest.raises(ConfigError) as caught:
        open_sockets(Listen(dns=(Address("127.0.0.1", port),)))
    told = [problem.message for problem in caught.value.problems]
    name = Path("/proc/self/comm").read_text().strip()
    assert told[0] == f"UDP 127.0.0.1:{port} is taken by {name} (pid {os.getpid()})"
    taken.close()
    open_sockets(Listen(dns=(Address("127.0.0.1", port),))).close()


def test_the_holder_of_a_wildcard_is_found_too() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as taken:
        taken.bind(("::", 0))
        taken.listen()
        address = Address("127.0.0.1", taken.getsockname()[1])
        assert f"(pid {os.getpid()})" in port_holder(address, socket.SOCK_STREAM)
