"""DNS over TCP as clients meet it: real sockets, slow, silent and greedy ones among them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import dns.edns
import dns.message
import pytest

from filterd.listen.tcp import StreamLimits, StreamListener, StreamServer
from filterd.metrics import layout
from tests.lab.school import Bench, block, pupils_without

SCRIPT = {
    f"n{number}.example A": [f"n{number}.example. 300 A 192.0.2.{number}"] for number in range(9)
}
SCRIPT["slow.example A"] = ["slow.example. 300 A 192.0.2.99"]


class Lab:
    """A bench that listens on a TCP port of 127.0.0.1."""

    def __init__(self, limits: StreamLimits) -> None:
        self.bench = Bench(pupils_without({"game.example": block()}), SCRIPT)
        self.server = StreamServer(self.bench.handler, self.bench.counters, limits, self.bench.memo)
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.listener = StreamListener(self.socket, self.server)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.socket.getsockname())

    def open(self) -> int:
        return self.bench.counters.values[layout.single_place("tcp_open")]

    async def until_open(self, count: int) -> None:
        async with asyncio.timeout(5):
            while self.open() != count:
                await asyncio.sleep(0.01)

    def close(self) -> None:
        self.listener.close()
        self.server.close()
        self.socket.close()


LIMITS = StreamLimits(idle=0.6, message=0.3)


@pytest.fixture
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    made = Lab(getattr(request, "param", LIMITS))
    yield made
    made.close()


def framed(name: str, ident: int = 1, **options: int) -> bytes:
    query = dns.message.make_query(name, "A", **options)  # type: ignore[arg-type]
    query.id = ident
    wire = query.to_wire()
    return len(wire).to_bytes(2, "big") + wire


async def read(reader: asyncio.StreamReader) -> dns.message.Message:
    async with asyncio.timeout(5):
        length = int.from_bytes(await reader.readexactly(2), "big")
        return dns.message.from_wire(await reader.readexactly(length))


async def test_one_connection_serves_many_queries_octet_by_octet(lab: Lab) -> None:
    reader, writer = await lab.connect()
    for octet in framed("game.example"):
        writer.write(bytes([octet]))
        await writer.drain()
    assert (await read(reader)).rcode() == 3
    writer.write(framed("n1.example"))
    assert str((await read(reader)).answer[0][0]) == "192.0.2.1"
    writer.close()


async def test_fast_answers_do_not_wait_for_a_slow_one(lab: Lab) -> None:
    reader, writer = await lab.connect()
    lab.bench.upstream.gate = gate = asyncio.Event()
    writer.write(framed("slow.example", 7) + b"".join(framed("game.example", n) for n in (1, 2)))
    assert {(await read(reader)).id for _ in range(2)} == {1, 2}
    gate.set()
    assert (await read(reader)).id == 7
    writer.close()


async def test_who_says_goodbye_still_gets_what_was_asked(lab: Lab) -> None:
    reader, writer = await lab.connect()
    lab.bench.upstream.gate = gate = asyncio.Event()
    writer.write(framed("slow.example"))
    writer.write_eof()
    await asyncio.sleep(0.05)
    gate.set()
    assert str((await read(reader)).answer[0][0]) == "192.0.2.99"
    assert await reader.read() == b""


async def test_silence_and_half_messages_are_ended_in_time(lab: Lab) -> None:
    loop = asyncio.get_running_loop()
    silent, _quiet = await lab.connect()
    half, writer = await lab.connect()
    writer.write(framed("game.example")[:9])
    start = loop.time()
    async with asyncio.timeout(5):
        assert await half.read() == b""
        ended_half = loop.time() - start
        assert await silent.read() == b""
        ended_silent = loop.time() - start
    assert 0.2 < ended_half < 0.55
    assert 0.5 < ended_silent < 3
    await lab.until_open(0)


@pytest.mark.parametrize("octets", [b"\0\0", b"\0\5hello", b"\0\x0c" + b"\0\1\x80" + bytes(9)])
async def test_what_is_no_query_ends_the_connection(lab: Lab, octets: bytes) -> None:
    reader, writer = await lab.connect()
    writer.write(octets)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("lab", [replace(LIMITS, idle=5.0, per_client=4)], indirect=True)
async def test_one_client_gets_so_many_connections_and_no_more(lab: Lab) -> None:
    held = [await lab.connect() for _ in range(4)]
    await lab.until_open(4)
    reader, _ = await lab.connect()
    async with asyncio.timeout(5):
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
    held[0][1].close()
    await lab.until_open(3)
    again, writer = await lab.connect()
    writer.write(framed("game.example"))
    assert (await read(again)).rcode() == 3


@pytest.mark.parametrize("lab", [replace(LIMITS, idle=5.0, total=3)], indirect=True)
async def test_when_all_places_are_taken_the_idlest_gives_way(lab: Lab) -> None:
    held = [await lab.connect() for _ in range(3)]
    await lab.until_open(3)
    for _, writer in held[1:]:
        writer.write(framed("game.example"))
    for reader, _ in held[1:]:
        await read(reader)
    reader, writer = await lab.connect()
    writer.write(framed("game.example"))
    assert (await read(reader)).rcode() == 3
    async with asyncio.timeout(5):
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await held[0][0].readexactly(1)


@pytest.mark.parametrize("lab", [replace(LIMITS, in_flight=3)], indirect=True)
async def test_a_connection_has_a_bounded_number_of_questions_under_way(lab: Lab) -> None:
    reader, writer = await lab.connect()
    lab.bench.upstream.gate = gate = asyncio.Event()
    writer.write(b"".join(framed(f"n{number}.example", number) for number in range(6)))
    async with asyncio.timeout(5):
        while len(lab.bench.upstream.asked) < 3:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert len(lab.bench.upstream.asked) == 3
    gate.set()
    assert {(await read(reader)).id for _ in range(6)} == set(range(6))
    writer.close()


async def test_who_asks_and_never_reads_is_cut(lab: Lab) -> None:
    sock = socket.create_connection(lab.socket.getsockname())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    block_of = framed("game.example", use_edns=0) * 400
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(20):
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:
                await asyncio.wait_for(loop.sock_sendall(sock, block_of), 10)
    sock.close()
    await lab.until_open(0)


async def test_keepalive_is_told_to_those_who_ask_and_only_over_streams(lab: Lab) -> None:
    query = dns.message.make_query("game.example", "A", use_edns=0)
    query.use_edns(0, options=[dns.edns.GenericOption(dns.edns.OptionType(11), b"")])
    over_udp = dns.message.from_wire(await lab.bench.wire(query.to_wire()))
    assert 11 not in {int(option.otype) for option in over_udp.options}
    reader, writer = await lab.connect()
    wire = query.to_wire()
    writer.write(len(wire).to_bytes(2, "big") + wire)
    options = {int(o.otype): o.to_wire() for o in (await read(reader)).options}
    assert options[11] == (6).to_bytes(2, "big")
    writer.close()


async def test_a_busy_client_is_never_taken_for_a_slow_one(lab: Lab) -> None:
    """Each piece ends in the middle of a message, for longer than one message may take."""
    reader, writer = await lab.connect()
    stream = b"".join(framed("game.example", number) for number in range(60))
    for start in range(0, len(stream), 45):
        writer.write(stream[start : start + 45])
        await asyncio.sleep(0.015)
    assert [(await read(reader)).id for _ in range(60)] == list(range(60))
    writer.close()


async def test_one_octet_at_a_time_does_not_stretch_a_message(lab: Lab) -> None:
    reader, writer = await lab.connect()
    start = asyncio.get_running_loop().time()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        for octet in framed("game.example") * 2:
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0.05)
            if reader.at_eof():
                await reader.readexactly(1)
    assert asyncio.get_running_loop().time() - start < 1.5


async def test_what_was_judged_is_repeated_and_counted_as_what_it_is(lab: Lab) -> None:
    reader, writer = await lab.connect()
    for number in range(4):
        for name in ("n1.example", "game.example"):
            writer.write(framed(name, number))
            reply = await read(reader)
            assert reply.id == number
            assert (reply.rcode(), len(reply.answer)) == ((0, 1) if name[0] == "n" else (3, 0))
    writer.close()
    tier = layout.tier_index("primary")
    found = {
        (outcome, transport): lab.bench.counters.values[
            layout.query_place(tier, outcome, transport)
        ]
        for outcome in (layout.FORWARDED, layout.CACHED, layout.BLOCKED)
        for transport in (layout.UDP, layout.TCP)
    }
    assert [found[outcome, layout.TCP] for outcome in (1, 0, 3)] == [1, 3, 4]
    assert not any(found[outcome, layout.UDP] for outcome in (1, 0, 3))
    assert lab.bench.memo.harvest(), "some of it the handler never saw"
