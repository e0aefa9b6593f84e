"""DoH as browsers and kdig use it, over HTTP/2 and HTTP/1.1."""

from __future__ import annotations

import asyncio
import base64
import shutil
import ssl
import time

import httpx
import pytest

from filterd.listen import http2_native
from filterd.listen.certificate import Certificate
from filterd.listen.drain import open_memo
from filterd.listen.https import https_server
from filterd.metrics import layout
from tests.lab.certificates import Authority
from tests.lab.doh import HEADERS, TYPE, Client, answers, http1_post, query
from tests.lab.encrypted import NAME, FakeHandler, client_context, kdig, listening

VERSIONS = pytest.mark.parametrize("http2", [True, False], ids=["http/2", "http/1.1"])


@VERSIONS
async def test_post(client: Client, http2: bool) -> None:
    got = await client(http2).post("/dns-query", content=query(ident=7), headers=HEADERS)
    assert got.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    assert (got.status_code, answers(got.content)) == (200, ["192.0.2.1"])
    assert got.headers["content-type"] == TYPE
    assert got.headers["cache-control"] == "private, max-age=77"
    assert got.content[:2] == b"\0\7"


@VERSIONS
async def test_get(client: Client, http2: bool) -> None:
    text = base64.urlsafe_b64encode(query()).decode().rstrip("=")
    got = await client(http2).get("/dns-query", params={"dns": text})
    assert (got.status_code, answers(got.content)) == (200, ["192.0.2.1"])


@VERSIONS
async def test_an_answer_that_comes_later(client: Client, http2: bool) -> None:
    got = await client(http2).post("/dns-query", content=query("late.example"), headers=HEADERS)
    assert answers(got.content) == ["192.0.2.1"]


@VERSIONS
async def test_many_on_one_connection(client: Client, http2: bool, handler: FakeHandler) -> None:
    one = client(http2)

    async def ask(number: int) -> list[str]:
        name = f"{'late.' if number % 3 else ''}n{number}.example"
        return answers((await one.post("/dns-query", content=query(name), headers=HEADERS)).content)

    assert await asyncio.gather(*(ask(n) for n in range(60))) == [["192.0.2.1"]] * 60
    assert len({name for name, _address, _via in handler.seen}) == 60


@VERSIONS
@pytest.mark.parametrize(
    ("method", "path", "body", "media_type", "status"),
    [
        ("POST", "/dns-query", b"short", TYPE, 400),
        ("POST", "/dns-query", b"\0\0\x80" + b"\0" * 20, TYPE, 400),
        ("POST", "/dns-query", query(), "application/json", 415),
        ("POST", "/dns-query", b"\0" * 9000, TYPE, 413),
        ("PUT", "/dns-query", query(), TYPE, 405),
        ("DELETE", "/dns-query", b"", TYPE, 405),
        ("GET", "/dns-query", b"", "", 400),
        ("GET", "/dns-query?dns=%%%", b"", "", 400),
        ("GET", "/dns-query?dns=AA==", b"", "", 400),
        ("GET", "/dns-query?dns=AAAA&dns=AAAA", b"", "", 400),
        ("GET", "/dns-query?dns=" + "A" * 3000, b"", "", 414),
        ("GET", "/", b"", "", 404),
        ("POST", "/dns-query/a/b", query(), TYPE, 404),
        ("POST", "/dns-query/..%2fadmin", query(), TYPE, 404),
        ("GET", "/metrics", b"", "", 404),
    ],
)
async def test_what_is_refused(
    client: Client, http2: bool, method: str, path: str, body: bytes, media_type: str, status: int
) -> None:
    headers = {"content-type": media_type} if media_type else {}
    got = await client(http2).request(method, path, content=body, headers=headers)
    assert got.status_code == status
    assert got.content == b""
    if status == 405:
        assert got.headers["allow"] == "GET, HEAD, POST"


@VERSIONS
async def test_the_token_of_the_path_says_which_device(
    client: Client, http2: bool, handler: FakeHandler
) -> None:
    one = client(http2)
    await one.post("/dns-query/Laptop-7", content=query("a.example"), headers=HEADERS)
    await one.post("/dns-query", content=query("b.example"), headers=HEADERS)
    by_name = {name: via for name, _address, via in handler.seen}
    assert by_name["a.example."].device == "laptop-7"
    assert by_name["b.example."].device is None
    assert {via.transport for via in by_name.values()} == {3}
    assert handler.seen[0][1] == b"\0" * 10 + b"\xff\xff\x7f\0\0\1"


async def test_the_token_of_the_server_name(
    authority: Authority, port: int, handler: FakeHandler
) -> None:
    tls = client_context(authority.file, "http/1.1")
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, server_hostname=f"tablet3.{NAME}"
    )
    writer.write(http1_post("/dns-query", query()))
    assert b" 200 " in await reader.readline()
    writer.close()
    assert handler.seen[0][2].device == "tablet3"


@pytest.mark.skipif(shutil.which("kdig") is None, reason="Debian's knot-dnsutils is not installed")
@pytest.mark.parametrize("way", ["+https", "+https-get"])
async def test_kdig(authority: Authority, port: int, way: str) -> None:
    assert await kdig(port, way, authority.file) == [b"192.0.2.1"]


@pytest.mark.parametrize("native", [True, False], ids=["native", "h2"])
@VERSIONS
async def test_what_the_memo_knows_is_repeated_to_all_but_named_devices(
    authority: Authority,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
    http2: bool,
    native: bool,
) -> None:
    monkeypatch.setattr(http2_native, "AVAILABLE", native and http2_native.AVAILABLE)
    handler, counters = FakeHandler(), bytearray(64)
    memo = open_memo(memoryview(counters), 1 << 16)
    wire, now = query(), time.monotonic_ns() // 1_000_000
    local = b"\0" * 10 + b"\xff\xff\x7f\0\0\1"
    reply = wire[:2] + b"\x81\x80" + wire[4:]
    memo.place(local, 1, 0, 0.0, 0.0)
    memo.put(1, layout.DOH << 4, wire[12:], reply, (), (3,), now, now + 60_000, 255)
    async with listening(https_server(handler, certificate, memo)) as port:
        tls = ssl.create_default_context(cafile=str(authority.file))
        async with httpx.AsyncClient(http1=not http2, http2=http2, verify=tls) as one:
            url = f"https://127.0.0.1:{port}/dns-query"
            known = await one.post(url, content=wire, headers=HEADERS)
            named = await one.post(f"{url}/tablet-3", content=wire, headers=HEADERS)
    assert (known.content, answers(named.content)) == (reply, ["192.0.2.1"])
    assert known.headers["cache-control"] == "private, max-age=0"
    assert [via.device for _name, _address, via in handler.seen] == ["tablet-3"]
    assert counters[24] == 1
