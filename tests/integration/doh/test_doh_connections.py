"""How long a DoH connection lives: slow and silent clients, pipelines, a renewed certificate."""

from __future__ import annotations

import asyncio
from pathlib import Path

import h2.events
import pytest

from filterd.listen import https
from filterd.listen.certificate import Certificate
from filterd.listen.https import https_server
from tests.lab.certificates import Authority
from tests.lab.doh import HEADERS, Client, h2_headers, http1_post, is_closed, open_h2, query
from tests.lab.encrypted import NAME, FakeHandler, client_context, listening


async def test_slow_requests_are_given_up(
    authority: Authority, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slowloris: a body that never ends, in both versions of HTTP."""
    monkeypatch.setattr(https, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(https, "TICK_SECONDS", 0.1)
    http, reader, writer = await open_h2(authority, port)
    http.send_headers(1, h2_headers())
    writer.write(http.data_to_send())
    async with asyncio.timeout(5):
        events: list[h2.events.Event] = []
        while not any(isinstance(event, h2.events.StreamReset) for event in events):
            events += http.receive_data(await reader.read(65536))
    writer.close()
    tls = client_context(authority.file, "http/1.1")
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=NAME)
    writer.write(http1_post("/dns-query", b"x" * 30)[:-28])
    async with asyncio.timeout(5):
        assert b" 408 " in (await reader.read()).splitlines()[0]
    writer.close()


async def test_a_dropped_question_ends_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(https, "TICK_SECONDS", 0.1)
    got = await client(False).post("/dns-query", content=query("drop.example"), headers=HEADERS)
    assert got.status_code == 503


async def test_idle_connections_areis_closed(
    authority: Authority, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(https, "TICK_SECONDS", 0.1)
    _http, reader, writer = await open_h2(authority, port)
    assert await is_closed(reader, writer)


async def test_a_renewed_certificate_is_used_without_a_restart(
    tmp_path: Path, handler: FakeHandler
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue(NAME)
    certificate = Certificate(pair.certificate, pair.key)

    async def serial(port: int) -> object:
        tls = client_context(authority.file, "h2")
        _reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls, server_hostname=NAME
        )
        number = writer.get_extra_info("peercert")["serialNumber"]
        writer.close()
        return number

    async with listening(https_server(handler, certificate)) as port:
        first = await serial(port)
        assert not certificate.refresh()
        assert await serial(port) == first
        authority.issue(NAME)
        assert certificate.refresh()
        second = await serial(port)
        assert second != first
        pair.key.write_text("half written")
        assert not certificate.refresh()
        assert await serial(port) == second


async def test_a_pipeline_of_http1_is_answered_in_order(authority: Authority, port: int) -> None:
    """More requests than a call may nest, some of them answered late."""
    tls = client_context(authority.file, "http/1.1")
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=NAME)
    names = [f"{'late.' if number % 100 == 50 else ''}n.example" for number in range(400)]
    writer.write(b"".join(http1_post("/dns-query", query(name, n)) for n, name in enumerate(names)))
    found = []
    async with asyncio.timeout(20):
        while len(found) < len(names):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split()[0])
            found.append(int.from_bytes((await reader.readexactly(length))[:2], "big"))
    assert found == list(range(400))
    writer.close()
