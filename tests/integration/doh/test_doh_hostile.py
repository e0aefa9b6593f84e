"""DoH clients who open too much, say nonsense or take no answers, on both kinds of HTTP/2."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import h2.events
import h2.exceptions
import pytest

from filterd.listen import http2_native
from filterd.listen.accept import Gate
from filterd.listen.certificate import Certificate
from filterd.listen.https import https_server
from tests.lab.certificates import Authority
from tests.lab.doh import h2_headers, is_closed, open_h2, query
from tests.lab.encrypted import NAME, FakeHandler, client_context, listening


@pytest.fixture(params=["h2", "native"], autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "native" and not http2_native.AVAILABLE:
        pytest.skip("libnghttp2-14 or a C compiler is missing")
    monkeypatch.setattr(http2_native, "AVAILABLE", request.param == "native")


async def test_rapid_reset_ends_the_connection(authority: Authority, port: int) -> None:
    """Opening and resetting streams without waiting (CVE-2023-44487)."""
    http, reader, writer = await open_h2(authority, port)
    for _ in range(400):
        stream = http.get_next_available_stream_id()
        http.send_headers(stream, h2_headers())
        http.reset_stream(stream)
    writer.write(http.data_to_send())
    assert await is_closed(reader, writer)


async def test_more_streams_than_allowed_end_the_connection(
    authority: Authority, port: int
) -> None:
    http, reader, writer = await open_h2(authority, port)
    http.remote_settings[3] = 10_000
    http.remote_settings.acknowledge()
    for _ in range(300):
        http.send_headers(http.get_next_available_stream_id(), h2_headers())
    writer.write(http.data_to_send())
    assert await is_closed(reader, writer)


async def test_a_client_that_reads_no_answers_is_not_stored_for(
    authority: Authority, port: int, certificate: Certificate
) -> None:
    """A flow control window of 0: answers wait up to a cap, then the client is cut off."""
    http, reader, writer = await open_h2(authority, port)
    http.update_settings({4: 0})
    for _ in range(50):
        stream = http.get_next_available_stream_id()
        http.send_headers(stream, h2_headers())
        http.send_data(stream, query(), end_stream=True)
    writer.write(http.data_to_send())
    async with asyncio.timeout(5):
        octets = await reader.read(65536)
        events = http.receive_data(octets)
    assert not any(isinstance(event, h2.events.DataReceived) for event in events)
    writer.close()


async def test_headers_without_end_are_refused(authority: Authority, port: int) -> None:
    http, reader, writer = await open_h2(authority, port)
    with contextlib.suppress(h2.exceptions.H2Error):
        http.send_headers(
            1, [*h2_headers(), *((f"x-{number}", "v" * 200) for number in range(200))]
        )
    writer.write(http.data_to_send())
    assert await is_closed(reader, writer)


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00garbage that is no TLS at all" * 20,
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 400,
    ],
)
async def test_what_is_no_tls_isis_closed(port: int, octets: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(octets)
    assert await is_closed(reader, writer)


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
async def test_garbage_inside_tls_isis_closed(authority: Authority, port: int, alpn: str) -> None:
    tls = client_context(authority.file, alpn)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=NAME)
    writer.write(b"\xff" * 500 + b"\r\n\r\n")
    assert await is_closed(reader, writer)


async def wait_until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


async def test_connections_are_bounded_before_tls(
    handler: FakeHandler, certificate: Certificate
) -> None:
    """Those that never begin their handshake count too; what is beyond is closed at once."""
    gate = Gate(total=100, per_client=5)
    async with listening(https_server(handler, certificate), gate) as port:
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        await wait_until(lambda: len(gate) + gate.refused == 8)
        assert (len(gate), gate.refused) == (5, 3)
        for _reader, writer in opened:
            writer.close()
        await wait_until(lambda: len(gate) == 0)
