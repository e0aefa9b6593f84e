"""READY and WATCHDOG as systemd hears them: a filter that answers well, wrongly or not at all."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import cast

import pytest

from filterd import tasks
from filterd.config import Address
from filterd.supervise.canary import filter_works
from filterd.supervise.notify import Notifier
from filterd.supervise.proof import prove

ALLOWED, BLOCKED = 0, 3


class Filter(asyncio.DatagramProtocol):
    """Answers the canaries as `mood` says."""

    def __init__(self) -> None:
        self.mood = "good"
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.out = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, query: bytes, peer: tuple[str, int]) -> None:
        self.asked += 1
        if self.mood == "silent":
            return
        blocked = b"malware" in query and self.mood != "everything allowed"
        rcode = 2 if self.mood == "cannot decide" else BLOCKED if blocked else ALLOWED
        answers = int(rcode == ALLOWED)
        head = query[:2] + bytes((0x81, 0x80 | rcode, 0, 1, 0, answers, 0, 0, 0, 0))
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x0a\0\4" + socket.inet_aton("192.0.2.1")
        reply = head + query[12:] + record * answers
        self.out.sendto(reply, peer)


@asynccontextmanager
async def filtering() -> AsyncIterator[tuple[Filter, Address]]:
    loop = asyncio.get_running_loop()
    transport, served = await loop.create_datagram_endpoint(Filter, local_addr=("127.0.0.1", 0))
    try:
        yield served, Address("127.0.0.1", transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


@contextmanager
def systemd(folder: Path) -> Iterator[tuple[socket.socket, Notifier]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(folder / "notify"))
        heard.setblocking(False)
        environment = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "40000"}
        yield heard, Notifier(environment)


async def hears(heard: socket.socket, word: bytes) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(20):
        while word not in await loop.sock_recv(heard, 1000):
            pass


async def rounds(served: Filter, count: int) -> None:
    """Until the filter was asked so many times more."""
    end = served.asked + count
    async with asyncio.timeout(30):
        while served.asked < end:
            await asyncio.sleep(0.01)


def said(heard: socket.socket) -> bytes:
    found = b""
    try:
        while True:
            found += heard.recv(1000) + b"\n"
    except BlockingIOError:
        return found


@pytest.mark.parametrize("mood", ["cannot decide", "everything allowed", "silent"])
async def test_a_filter_that_does_not_filter_is_never_ready(tmp_path: Path, mood: str) -> None:
    with systemd(tmp_path) as (heard, notifier):
        async with filtering() as (served, address):
            served.mood = mood
            proof = tasks.spawn(prove(notifier, lambda: filter_works(address, 0.2), 0.01), "proof")
            await rounds(served, 8)
            assert b"READY" not in said(heard)
            served.mood = "good"
            await hears(heard, b"READY=1")
            proof.cancel()


@pytest.mark.parametrize("mood", ["cannot decide", "everything allowed", "silent"])
async def test_one_wrong_answer_stops_the_pings_until_a_right_one(
    tmp_path: Path, mood: str
) -> None:
    with systemd(tmp_path) as (heard, notifier):
        async with filtering() as (served, address):
            proof = tasks.spawn(prove(notifier, lambda: filter_works(address, 0.2), 0.01), "proof")
            await hears(heard, b"WATCHDOG=1")
            served.mood = mood
            await hears(heard, b"the canary question fails")
            await rounds(served, 6)
            assert b"WATCHDOG" not in said(heard)
            served.mood = "good"
            await hears(heard, b"WATCHDOG=1")
            proof.cancel()
