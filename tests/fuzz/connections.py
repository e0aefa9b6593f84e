"""Connections that may be fed with anything: what clients and upstreams write on streams.

Each function takes octets and may raise nothing; `tests.fuzz.targets` lists them.
"""

from __future__ import annotations

import asyncio
import functools
import time
from typing import Any

from filterd.errors import UpstreamError
from filterd.listen import http2_native
from filterd.listen.drain import open_memo
from filterd.listen.http_dns import Request, Response, answer, read_request
from filterd.listen.memo_python import PythonMemo
from filterd.metrics import layout
from filterd.upstream.attempt import Arrival
from filterd.upstream.channel import Channel
from filterd.upstream.endpoint import parse
from filterd.upstream.framed import Framed
from filterd.upstream.habits import Habits
from filterd.upstream.https import Https
from filterd.upstream.question import UpstreamQuestion

CLIENT = bytes(10) + b"\xff\xff\x7f\0\0\1"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
QUESTION = UpstreamQuestion(b"\3www\7example\0", 1)


class Asker:
    """Whoever waits on a channel; told once at most."""

    def __init__(self) -> None:
        self.question = QUESTION
        self.channel: Channel | None = None
        self.key = 0
        self.query = b""
        self.sent = 1
        self.lied_to = False
        self.told: list[Arrival | UpstreamError] = []

    def finish(self, outcome: Arrival | UpstreamError) -> None:
        self.told.append(outcome)

    def channel_lost(self, error: UpstreamError, *, fresh: bool) -> None:
        self.told.append(error)


class Wire(asyncio.Transport):
    """Where a channel writes to: nowhere."""

    def write(self, data: Any) -> None:
        """Nobody reads it."""

    def abort(self) -> None:
        """There is nothing to end."""


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


async def _up(channel: Channel, asker: Asker) -> None:
    async def dial(factory: Any) -> None:
        factory().connection_made(Wire())

    channel.ask(asker)
    await channel.open(dial)


def upstream_frames(octets: bytes) -> None:
    """TCP and DoT upstreams; the id that was drawn stands where a reply's id would."""

    async def talk() -> None:
        channel, asker = Framed(lambda _: None, Habits(), "tcp"), Asker()
        await _up(channel, asker)
        ours = asker.query[:2]
        reply = ours + octets[2:]
        for piece in (len(reply[:65_535]).to_bytes(2, "big") + reply[:65_535], octets):
            while piece and not channel.closing:
                room = channel.get_buffer(-1)
                assert len(room), "a frame always fits"
                size = min(len(room), len(piece))
                room[:size], piece = piece[:size], piece[size:]
                channel.buffer_updated(size)
        channel.close(UpstreamError("over"))
        assert len(asker.told) == 1

    _loop().run_until_complete(talk())


def upstream_http_2(octets: bytes) -> None:
    """A DoH upstream, as it is and after its settings."""

    async def talk(before: bytes) -> None:
        endpoint = parse("https://127.0.0.1/dns-query")
        channel, asker = Https(lambda _: None, Habits(), endpoint), Asker()
        await _up(channel, asker)
        for piece in (before, octets):
            if piece and not channel.closing:
                channel.data_received(piece)
        channel.close(UpstreamError("over"))
        assert len(asker.told) == 1

    for before in (b"", SETTINGS):
        _loop().run_until_complete(talk(before))


def native_http_2(octets: bytes) -> None:
    """A DoH client, read by libnghttp2 and answered from a memo."""
    if not http2_native.AVAILABLE:
        return
    out = bytearray()

    def asked(stream: int, request: Request) -> None:
        found = read_request(request)
        reply = found if isinstance(found, Response) else answer(bytes(12))
        talk.respond(stream, reply)

    memo = open_memo(memoryview(bytearray(4096)), 1 << 16)
    talk = http2_native.NativeHttp2(out.extend, asked, memo, CLIENT)
    talk.receive(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS, 0.0)
    for cut in (octets[: len(octets) // 2], octets[len(octets) // 2 :]):
        if cut and not talk.dead:
            talk.receive(cut, 1.0)


def client_frames(octets: bytes) -> None:
    """One read of a TCP client, by both memos: they take and say the same."""
    now = time.monotonic_ns() // 1_000_000
    found = []
    for kind in (PythonMemo, open_memo):
        memo = kind(memoryview(bytearray(4096)), 1 << 16)
        memo.place(CLIENT, 1, 5, 0.0, 0.0)
        question = b"\3www\7example\0\0\1\0\1"
        reply = b"\0\0\x81\x80\0\1" + bytes(6) + question
        memo.put(1, layout.TCP << 4, question, reply, (), (2,), now, now + 600_000, 4)
        found.append(memo.repeat_frames(octets, CLIENT, layout.TCP))
    assert found[0] == found[1]
