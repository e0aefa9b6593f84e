"""HTTP/2 of a DoH client without a socket: h2 (the specification) and libnghttp2 do the same."""

from __future__ import annotations

import base64
import struct
import time
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.listen import http2, http2_native
from filterd.listen.drain import open_memo
from filterd.listen.http_dns import MEDIA_TYPE, Request, Response, answer, max_age
from filterd.metrics import layout

CLIENT = b"\0" * 10 + b"\xff\xff\x7f\0\0\1"
QUESTION = b"\3www\7example\3com\0\0\1\0\1"
QUERY = struct.pack("!6H", 0, 0x0100, 1, 0, 0, 0) + QUESTION
RECORD = b"\xc0\x0c\0\1\0\1" + struct.pack("!IH4B", 300, 4, 192, 0, 2, 1)
REPLY = struct.pack("!6H", 0, 0x8180, 1, 1, 0, 0) + QUESTION + RECORD
needs_native = pytest.mark.skipif(
    not http2_native.AVAILABLE, reason="libnghttp2-14 or a C compiler is missing"
)
KINDS = ["h2", pytest.param("native", marks=needs_native)]


class Talk:
    """A client and the server's side of one connection, in memory."""

    def __init__(self, kind: str, memo: Any = None, answers: bool = True) -> None:
        self.asked: list[tuple[int, Request]] = []
        self.octets = bytearray()
        self.answers = answers
        self.server: Any
        if kind == "h2":
            self.server = http2.Http2(self.octets.extend, self._on_request)
        else:
            self.server = http2_native.NativeHttp2(
                self.octets.extend, self._on_request, memo, CLIENT
            )
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.client.initiate_connection()
        self.events: list[h2.events.Event] = []

    def _on_request(self, stream: int, request: Request) -> None:
        self.asked.append((stream, request))
        if self.answers:
            self.server.respond(stream, answer(REPLY))

    def turn(self, now: float = 1.0) -> None:
        """Bring everything to the other side, until nobody says any more."""
        while (octets := self.client.data_to_send()) or self.octets:
            if octets:
                self.server.receive(octets, now)
            if self.octets:
                self.events += self.client.receive_data(bytes(self.octets))
                self.octets.clear()

    def ask(self, method: str, path: str, body: bytes = b"", **more: str) -> int:
        stream = self.client.get_next_available_stream_id()
        headers = [(":method", method), (":scheme", "https"), (":authority", "x"), (":path", path)]
        if body:
            headers.append(("content-type", more.pop("media", MEDIA_TYPE)))
        self.client.send_headers(stream, headers, end_stream=not body)
        if body:
            self.client.send_data(stream, body, end_stream=True)
        return stream

    def got(self, stream: int) -> tuple[dict[str, str], bytes]:
        """(headers, body) of an answer that is complete."""
        headers: dict[str, str] = {}
        body = b""
        for event in self.events:
            if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream:
                headers = {_text(name): _text(value) for name, value in event.headers or ()}
            if isinstance(event, h2.events.DataReceived) and event.stream_id == stream:
                body += event.data or b""
        ends = [e for e in self.events if isinstance(e, h2.events.StreamEnded)]
        assert any(event.stream_id == stream for event in ends)
        return headers, body


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


def get(wire: bytes = QUERY) -> str:
    return "/dns-query?dns=" + base64.urlsafe_b64encode(wire).decode().rstrip("=")


def memo_with(counters: bytearray) -> Any:
    memo = open_memo(memoryview(counters), 1 << 16)
    now = time.monotonic_ns() // 1_000_000
    memo.place(CLIENT, 1, 5, 0.0, 0.0)
    ttl = 12 + len(QUESTION) + 6
    memo.put(1, layout.DOH << 4, QUESTION, REPLY, (ttl,), (2,), now - 100_500, now + 60_000, 4)
    return memo


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_reaches_the_handler_and_its_answer_the_client(kind: str, method: str) -> None:
    talk = Talk(kind)
    asked = [talk.ask("GET", get()) if method == "GET" else talk.ask("POST", "/dns-query", QUERY)
             for _ in range(50)]  # fmt: skip
    talk.turn()
    assert [request.method for _stream, request in talk.asked] == [method] * 50
    for stream in asked:
        assert talk.got(stream) == (
            {":status": "200", "content-type": MEDIA_TYPE, "cache-control": "private, max-age=300",
             "content-length": str(len(REPLY))},
            REPLY,
        )  # fmt: skip
    assert not talk.server.dead and not talk.server.busy


@needs_native
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_the_memo_knows_troubles_nobody_and_is_counted(method: str) -> None:
    counters = bytearray(64)
    talk = Talk("native", memo_with(counters))
    wire = b"\xbe\xef" + QUERY[2:]
    stream = talk.ask("GET", get(wire)) if method == "GET" else talk.ask("POST", "/dns-query", wire)
    talk.turn()
    headers, body = talk.got(stream)
    assert not talk.asked
    assert body[:2] == b"\xbe\xef"
    assert struct.unpack_from("!I", body, 12 + len(QUESTION) + 6) == (200,)
    assert headers == {
        ":status": "200", "content-type": MEDIA_TYPE, "cache-control": "private, max-age=200",
        "content-length": str(len(REPLY)),
    }  # fmt: skip
    assert struct.unpack_from("Q", counters, 16) == (1,)


@needs_native
@pytest.mark.parametrize(
    ("method", "path", "body", "media"),
    [
        ("GET", get() + "&dns=AA", b"", ""),
        ("GET", get() + "=", b"", ""),
        ("GET", get() + "A" * 2100, b"", ""),
        ("GET", "/dns-query?dns=", b"", ""),
        ("GET", "/dns-query/tablet?" + get().partition("?")[2], b"", ""),
        ("HEAD", get(), b"", ""),
        ("POST", "/dns-query/tablet", QUERY, MEDIA_TYPE),
        ("POST", "/dns-query", QUERY, "application/json"),
        ("POST", "/dns-query", QUERY[:9], MEDIA_TYPE),
        ("PUT", "/dns-query", QUERY, MEDIA_TYPE),
    ],
)
def test_what_is_not_in_its_plainest_form_is_looked_at(
    method: str, path: str, body: bytes, media: str
) -> None:
    counters = bytearray(64)
    talk = Talk("native", memo_with(counters), answers=False)
    talk.ask(method, path, body, media=media)
    talk.turn()
    (_stream, request), = talk.asked  # fmt: skip
    assert (request.method, request.target, request.media_type) == (method, path, media)
    assert request.body == body
    assert not any(counters)


@pytest.mark.parametrize("kind", KINDS)
def test_who_asks_and_gets_nothing_is_reset_in_time(kind: str) -> None:
    talk = Talk(kind, answers=False)
    stream = talk.ask("GET", get())
    talk.turn(now=5.0)
    talk.server.expire(4.9)
    talk.turn()
    assert talk.server.busy
    talk.server.expire(5.1)
    talk.turn()
    resets = [e.stream_id for e in talk.events if isinstance(e, h2.events.StreamReset)]
    assert resets == [stream]
    assert not talk.server.busy
    talk.server.respond(stream, answer(REPLY))
    talk.turn()


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_takes_nothing_is_not_stored_for(kind: str) -> None:
    """A window of 0: answers wait up to a bound, then the connection is over."""
    talk = Talk(kind, answers=False)
    talk.client.update_settings({4: 0})
    for _ in range(90):
        talk.ask("GET", get())
    talk.turn()
    for stream, _request in talk.asked:
        talk.server.respond(stream, Response(200, (), bytes(4000)))
    assert len(talk.asked) == 90
    assert talk.server.dead


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", ["open and reset", "too many headers", "no HTTP/2"])
def test_hostile_connections_end(kind: str, steps: str) -> None:
    talk = Talk(kind)
    if steps != "no HTTP/2":
        talk.turn()
    if steps == "open and reset":
        for _ in range(300):
            stream = talk.client.get_next_available_stream_id()
            headers = [(":method", "POST"), (":scheme", "https"), (":authority", "x"),
                       (":path", "/dns-query")]  # fmt: skip
            talk.client.send_headers(stream, headers)
            talk.client.reset_stream(stream)
    elif steps == "too many headers":
        headers = [(":method", "GET"), (":scheme", "https"), (":authority", "x"), (":path", "/"),
                   *((f"x-{n}", "v" * 200) for n in range(60))]  # fmt: skip
        talk.client.send_headers(1, headers, end_stream=True)
    octets = talk.client.data_to_send() if steps != "no HTTP/2" else b"GET / HTTP/1.1\r\n\r\n" * 9
    talk.server.receive(octets, 1.0)
    assert talk.server.dead


DATA = st.one_of(
    st.tuples(st.just(1), st.binary(min_size=4, max_size=4)),
    st.tuples(st.just(28), st.binary(min_size=16, max_size=16)),
    st.tuples(st.just(6), st.binary(min_size=20, max_size=20).map(lambda rest: b"\0\0" + rest)),
    st.tuples(st.just(65_280), st.binary(max_size=30)),
)
RECORDS = st.lists(st.tuples(DATA, st.integers(0, 2**31 - 1)), max_size=4)
Record = tuple[tuple[int, bytes], int]


@needs_native
@settings(max_examples=200, deadline=None)
@given(RECORDS, RECORDS, st.integers(0, 5), st.integers(0, 200))
def test_freshness_is_what_the_specification_says(
    answers: list[Record],
    authority: list[Record],
    rcode: int,
    cut: int,
) -> None:
    """For what can be read; what cannot is not fresh, and breaks nothing."""
    head = struct.pack("!6H", 0, 0x8180 | rcode, 1, len(answers), len(authority), 0)
    octets = head + QUESTION + b"".join(
        b"\xc0\x0c" + struct.pack("!2HIH", rtype, 1, ttl, len(data)) + data
        for (rtype, data), ttl in [*answers, *authority]
    )  # fmt: skip
    assert http2_native._native.Http2.freshness(octets) == max_age(octets)
    assert http2_native._native.Http2.freshness(octets[:cut]) >= 0


@needs_native
def test_freshness_of_real_answers() -> None:
    soa = (
        b"\xc0\x0c\0\6\0\1"
        + struct.pack("!IH", 900, 22)
        + b"\0\0"
        + struct.pack("!5I", 1, 2, 3, 4, 60)
    )
    head = struct.Struct("!6H")
    negative = head.pack(0, 0x8183, 1, 0, 1, 0) + QUESTION + soa
    failed = head.pack(0, 0x8182, 1, 1, 0, 0) + QUESTION + RECORD
    for octets, seconds in ((REPLY, 300), (negative, 60), (failed, 0), (REPLY[:-9], 0)):
        assert (http2_native._native.Http2.freshness(octets), max_age(octets)) == (seconds,) * 2


@needs_native
@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=6), st.integers(1, 90)
)
def test_no_octets_break_it(changes: list[tuple[int, int]], piece: int) -> None:
    """A sound conversation with some octets changed, in pieces of any size."""
    talk = Talk("native", memo_with(bytearray(64)))
    for number in range(6):
        talk.ask("GET", get()) if number % 2 else talk.ask("POST", "/dns-query", QUERY)
    octets = bytearray(talk.client.data_to_send())
    for at, value in changes:
        octets[24 + at % (len(octets) - 24)] = value
    for start in range(0, len(octets), piece):
        talk.server.receive(bytes(octets[start : start + piece]), 1.0)
    talk.server.expire(2.0)
    assert talk.server.dead in (True, False)
