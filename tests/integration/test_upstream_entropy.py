"""What a stranger would have to guess (RFC 5452): ports and ids of ten thousand queries."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections import Counter

import pytest

from filterd.upstream.health import State
from filterd.upstream.pool import Pool
from filterd.upstream.question import UpstreamQuestion
from filterd.upstream.settings import PoolSettings, Strategy
from filterd.wire.names import from_text, to_wire
from tests.lab.lying_upstream import LyingUpstream

QUERIES = 10_000


async def test_ports_and_ids_of_ten_thousand_queries() -> None:
    loop = asyncio.get_running_loop()
    seen: list[tuple[int, int]] = []
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))

        def echo() -> None:
            query, source = sock.recvfrom(512)
            seen.append((source[1], int.from_bytes(query[:2], "big")))
            sock.sendto(query[:2] + bytes([query[2] | 0x80]) + query[3:], source)

        loop.add_reader(sock, echo)
        pool = Pool(PoolSettings(upstreams=(f"udp://127.0.0.1:{sock.getsockname()[1]}",)))
        await pool.start()
        question = UpstreamQuestion(to_wire(from_text("www.example")), 1)
        numbers = itertools.count()

        async def asker() -> None:
            while next(numbers) < QUERIES:
                await pool.exchange(question, loop.time() + 5)

        await asyncio.gather(*(asker() for _ in range(20)))
        await pool.close()
        loop.remove_reader(sock)
    ports, ids = zip(*seen, strict=True)
    # 28,232 ephemeral ports: 8,421 different ones expected of 10,000 draws
    assert len(set(ports)) >= 8200
    assert _chi_squared(ids, 256) < 346.0, "ids are uneven (p < 0.0001 for 255 degrees)"
    assert abs(_runs(ids)) < 4.0, "ids rise and fall in a pattern"


def _chi_squared(values: tuple[int, ...], bins: int) -> float:
    expected = len(values) / bins
    counts = Counter(value * bins >> 16 for value in values)
    return sum((counts[n] - expected) ** 2 / expected for n in range(bins))


def _runs(values: tuple[int, ...]) -> float:
    """Wald-Wolfowitz: standard deviations between runs seen and runs expected."""
    above = [value >= 32768 for value in values]
    first = sum(above)
    second = len(above) - first
    runs = 1 + sum(one != two for one, two in itertools.pairwise(above))
    mean = 2 * first * second / (first + second) + 1
    variance = (mean - 1) * (mean - 2) / (first + second - 1)
    return float((runs - mean) / variance**0.5)


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_a_black_hole_beside_a_good_upstream_loses_no_query(strategy: Strategy) -> None:
    """Two hundred queries a second; one upstream takes all and answers nothing: all are answered
    all the same, the silent one is held, and then it is asked no more."""
    loop = asyncio.get_running_loop()
    with LyingUpstream() as fine, socket.socket(type=socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", 0))
        hole.setblocking(False)
        urls = (f"udp://127.0.0.1:{hole.getsockname()[1]}", fine.url)
        pool = Pool(PoolSettings(upstreams=urls, strategy=strategy))
        await pool.start()

        async def ask(number: int) -> None:
            question = UpstreamQuestion(to_wire(from_text(f"n{number}.example")), 1)
            await pool.exchange(question, loop.time() + 10)

        async def ask_later(number: int) -> None:
            await asyncio.sleep(number / 200)
            await ask(number)

        await asyncio.gather(*(ask_later(number) for number in range(400)))
        async with asyncio.timeout(10):
            while pool.snapshot()[0].state is not State.HELD:
                await asyncio.sleep(0.02)
        _names(hole)
        for number in range(1000, 1040):
            await ask(number)
        held = pool.snapshot()[0].state is State.HELD
        asked = {name for name in _names(hole) if name.startswith(b"n1")}
        await pool.close()
    assert not held or not asked


def _names(hole: socket.socket) -> list[bytes]:
    """First labels of what it got."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while wire := hole.recv(4096):
            found.append(wire[13 : 13 + wire[12]].lower())
    return found
