"""A loop that answers while it waits is a loop all the same: timers, threads, signals, handler."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator

import dns.message
import pytest

from filterd.listen import drain
from filterd.listen.standby import StandbyLoop, readers
from filterd.listen.udp import UdpListener
from tests.lab.school import Bench, block, pupils_without

BLOCKED = dns.message.make_query("game.example", "A").to_wire()
ALLOWED = dns.message.make_query("www.example", "A").to_wire()
native = pytest.mark.skipif(not drain.COMPILED, reason="nothing was compiled here")


class Box:
    """A listener, and a client that is connected to it."""

    def __init__(self) -> None:
        self.bench = Bench(
            pupils_without({"game.example": block()}),
            {"www.example A": ["www.example. 300 A 192.0.2.1"]},
        )
        self.bench.handler.placements._allowed = lambda address: True
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.client = socket.socket(type=socket.SOCK_DGRAM)
        self.client.connect(self.socket.getsockname())
        self.client.settimeout(10)

    def listen(self) -> UdpListener:
        return UdpListener(self.socket, self.bench.memo, self.bench.handler, self.bench.counters)

    async def ask(self, query: bytes) -> int:
        """The rcode of the answer; the loop waits meanwhile."""
        self.client.send(query)
        return dns.message.from_wire(await asyncio.to_thread(self.client.recv, 4096)).rcode()


@pytest.fixture
def box() -> Iterator[Box]:
    made = Box()
    yield made
    made.socket.close()
    made.client.close()


class Flood:
    """Asks what the memo knows from a thread, one after the other, so that the wait never rests."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._thread = threading.Thread(target=self._run)
        self._ended = False
        self.answered = 0

    async def __aenter__(self) -> Flood:
        self._thread.start()
        return self

    async def __aexit__(self, *ended: object) -> None:
        self._ended = True
        await asyncio.to_thread(self._thread.join)  # its last question wants an answer too

    def _run(self) -> None:
        while not self._ended:
            self._box.client.send(BLOCKED)
            self._box.client.recv(4096)
            self.answered += 1


async def test_timers_and_threads_get_their_turn_beside_a_flood(box: Box) -> None:
    listener = box.listen()
    assert await box.ask(BLOCKED) == 3
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    async with Flood(box) as flood, asyncio.timeout(20):
        for _ in range(20):
            began, before = loop.time(), flood.answered
            await asyncio.sleep(0.01)
            assert loop.time() - began >= 0.01
            while flood.answered == before:
                await asyncio.sleep(0.01)
        waker = threading.Timer(0.01, lambda: loop.call_soon_threadsafe(told.set))
        waker.start()
        await told.wait()
    listener.close()


async def test_a_signal_ends_the_wait(box: Box) -> None:
    listener = box.listen()
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals come to the main thread")
    loop.add_signal_handler(signal.SIGUSR2, told.set)
    killer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR2))
    killer.start()
    async with asyncio.timeout(10):
        await told.wait()
    loop.remove_signal_handler(signal.SIGUSR2)
    listener.close()


async def test_what_the_handler_answers_is_answered_the_first_time_and_after(box: Box) -> None:
    listener = box.listen()
    for _ in range(3):
        assert await box.ask(ALLOWED) == 0
        assert await box.ask(BLOCKED) == 3
    listener.close()


async def test_what_was_read_when_a_listener_closes_is_answered(box: Box) -> None:
    """Queries that the wait took from the socket and that nobody was called for yet."""
    listener = box.listen()
    assert await box.ask(BLOCKED) == 3
    box.client.send(dns.message.make_query("other.game.example", "A").to_wire())
    await asyncio.sleep(0)  # one look at the socket; who is called stands in the queue behind us
    listener.close()
    if isinstance(asyncio.get_running_loop(), StandbyLoop) and drain.COMPILED:
        reply = await asyncio.to_thread(box.client.recv, 4096)
        assert dns.message.from_wire(reply).rcode() == 3
    box.client.settimeout(0.2)
    box.client.send(BLOCKED)
    with pytest.raises(TimeoutError):
        while True:
            await asyncio.to_thread(box.client.recv, 4096)


@native
async def test_nobody_is_called_for_what_the_memo_knows(box: Box) -> None:
    """That is what it is for: the loop does not turn for such a question."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, StandbyLoop):
        pytest.skip("the other loop turns")
    listener = box.listen()
    assert await box.ask(BLOCKED) == 3
    done, turns = threading.Event(), []
    select = loop._selector.select  # type: ignore[attr-defined]

    def counted(timeout: float | None) -> object:
        turns.append(timeout)
        return select(timeout)

    loop._selector.select = counted  # type: ignore[attr-defined]
    ended = asyncio.Event()

    def ask() -> None:
        for _ in range(100):
            box.client.send(BLOCKED)
            box.client.recv(4096)
        done.set()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=ask).start()
    async with asyncio.timeout(20):
        await ended.wait()
    assert done.is_set()
    assert len(turns) < 10
    listener.close()


@native
def test_it_takes_only_what_it_can_serve() -> None:
    loop = StandbyLoop()
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        with pytest.raises(TypeError):
            readers(loop).add(sock, print)
        memo = drain.open_memo(memoryview(bytearray(800)).cast("Q"), 1 << 16)
        with pytest.raises(OSError, match="descriptor"):
            readers(loop).add(drain.open_drain(1 << 20, memo), print)
        readers(loop).remove(drain.open_drain(sock.fileno(), memo))
    loop.close()


@native
def test_it_waits_no_longer_than_it_is_told() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, select.epoll() as epoll:
        epoll.register(ours, select.EPOLLIN)
        standby = drain._native.Standby(epoll.fileno(), 4)
        began = time.monotonic()
        assert standby.wait(0.0) == []
        assert standby.wait(0.02) == []
        assert time.monotonic() - began >= 0.02
        theirs.send(b"!")
        assert standby.wait(-1.0) == [None]
