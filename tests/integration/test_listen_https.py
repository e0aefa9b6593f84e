"""DoH as browsers, kdig and hostile clients use it, over HTTP/2 and HTTP/1.1."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import httpx
import pytest
from dnslib import DNSRecord

from filterd.listen import https
from filterd.listen.accept import Gate
from filterd.listen.certificate import Certificate
from filterd.listen.https import https_server
from tests.lab.certificates import Authority
from tests.lab.encrypted import NAME, FakeHandler, client_context, listening

TYPE = "application/dns-message"
HEADERS = {"content-type": TYPE, "accept": TYPE}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    pair = authority.issue(NAME, f"*.{NAME}", "127.0.0.1")
    return Certificate(pair.certificate, pair.key)


@pytest.fixture
def handler() -> FakeHandler:
    return FakeHandler()


@pytest.fixture
async def port(handler: FakeHandler, certificate: Certificate) -> AsyncIterator[int]:
    async with listening(https_server(handler, certificate)) as number:
        yield number


Client = Callable[[bool], httpx.AsyncClient]


@pytest.fixture
async def client(authority: Authority, port: int) -> AsyncIterator[Client]:
    async with contextlib.AsyncExitStack() as stack:

        def make(http2: bool) -> httpx.AsyncClient:
            made = httpx.AsyncClient(
                http1=not http2,
                http2=http2,
                verify=ssl.create_default_context(cafile=str(authority.file)),
                base_url=f"https://127.0.0.1:{port}",
                trust_env=False,
                limits=httpx.Limits(max_connections=8),
            )
            stack.push_async_callback(made.aclose)
            return made

        yield make


def query(name: str = "www.example", ident: int = 0) -> bytes:
    record = DNSRecord.question(name)
    record.header.id = ident
    return bytes(record.pack())


def answers(octets: bytes) -> list[str]:
    return [str(rr.rdata) for rr in DNSRecord.parse(octets).rr]


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
    writer.write(_http1("/dns-query", query()))
    assert b" 200 " in await reader.readline()
    writer.close()
    assert handler.seen[0][2].device == "tablet3"


def _http1(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: {NAME}\r\ncontent-type: {TYPE}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.skipif(shutil.which("kdig") is None, reason="Debian's knot-dnsutils is not installed")
@pytest.mark.parametrize("way", ["+https", "+https-get"])
async def test_kdig(authority: Authority, port: int, way: str) -> None:
    child = await asyncio.create_subprocess_exec(
        "kdig", "@127.0.0.1", "-p", str(port), way, f"+tls-ca={authority.file}",
        f"+tls-hostname={NAME}", "www.example", "A", "+short",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _err = await asyncio.wait_for(child.communicate(), 20)
    assert out.split() == [b"192.0.2.1"]


async def _h2(
    authority: Authority, port: int
) -> tuple[h2.connection.H2Connection, asyncio.StreamReader, asyncio.StreamWriter]:
    tls = client_context(authority.file, "h2")
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=NAME)
    http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    http.initiate_connection()
    writer.write(http.data_to_send())
    http.receive_data(await reader.read(65536))
    return http, reader, writer


def _request(length: int | None = None) -> list[tuple[str, str]]:
    headers = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", NAME),
        (":path", "/dns-query"),
        ("content-type", TYPE),
    ]
    return headers if length is None else [*headers, ("content-length", str(length))]


async def _closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
        async with asyncio.timeout(5):
            while await reader.read(65536):
                pass
            writer.close()
            return True
    writer.close()
    return isinstance(reader.exception(), ConnectionError | ssl.SSLError)


async def test_rapid_reset_ends_the_connection(authority: Authority, port: int) -> None:
    """Opening and resetting streams without waiting (CVE-2023-44487)."""
    http, reader, writer = await _h2(authority, port)
    for _ in range(400):
        stream = http.get_next_available_stream_id()
        http.send_headers(stream, _request())
        http.reset_stream(stream)
    writer.write(http.data_to_send())
    assert await _closed(reader, writer)


async def test_more_streams_than_allowed_end_the_connection(
    authority: Authority, port: int
) -> None:
    http, reader, writer = await _h2(authority, port)
    http.remote_settings[3] = 10_000
    http.remote_settings.acknowledge()
    for _ in range(300):
        http.send_headers(http.get_next_available_stream_id(), _request())
    writer.write(http.data_to_send())
    assert await _closed(reader, writer)


async def test_a_client_that_reads_no_answers_is_not_stored_for(
    authority: Authority, port: int, certificate: Certificate
) -> None:
    """A flow control window of 0: answers wait up to a cap, then the client is cut off."""
    http, reader, writer = await _h2(authority, port)
    http.update_settings({4: 0})
    for _ in range(50):
        stream = http.get_next_available_stream_id()
        http.send_headers(stream, _request())
        http.send_data(stream, query(), end_stream=True)
    writer.write(http.data_to_send())
    async with asyncio.timeout(5):
        octets = await reader.read(65536)
        events = http.receive_data(octets)
    assert not any(isinstance(event, h2.events.DataReceived) for event in events)
    writer.close()


async def test_headers_without_end_are_refused(authority: Authority, port: int) -> None:
    http, reader, writer = await _h2(authority, port)
    with contextlib.suppress(h2.exceptions.H2Error):
        http.send_headers(1, [*_request(), *((f"x-{number}", "v" * 200) for number in range(200))])
    writer.write(http.data_to_send())
    assert await _closed(reader, writer)


async def test_slow_requests_are_given_up(
    authority: Authority, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slowloris: a body that never ends, in both versions of HTTP."""
    monkeypatch.setattr(https, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(https, "TICK_SECONDS", 0.1)
    http, reader, writer = await _h2(authority, port)
    http.send_headers(1, _request())
    writer.write(http.data_to_send())
    async with asyncio.timeout(5):
        events: list[h2.events.Event] = []
        while not any(isinstance(event, h2.events.StreamReset) for event in events):
            events += http.receive_data(await reader.read(65536))
    writer.close()
    tls = client_context(authority.file, "http/1.1")
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=NAME)
    writer.write(_http1("/dns-query", b"x" * 30)[:-28])
    async with asyncio.timeout(5):
        assert b" 408 " in (await reader.read()).splitlines()[0]
    writer.close()


async def test_a_dropped_question_ends_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(https, "TICK_SECONDS", 0.1)
    got = await client(False).post("/dns-query", content=query("drop.example"), headers=HEADERS)
    assert got.status_code == 503


async def test_idle_connections_are_closed(
    authority: Authority, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(https, "TICK_SECONDS", 0.1)
    _http, reader, writer = await _h2(authority, port)
    assert await _closed(reader, writer)


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00garbage that is no TLS at all" * 20,
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 400,
    ],
)
async def test_what_is_no_tls_is_closed(port: int, octets: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(octets)
    assert await _closed(reader, writer)


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
async def test_garbage_inside_tls_is_closed(authority: Authority, port: int, alpn: str) -> None:
    tls = client_context(authority.file, alpn)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=NAME)
    writer.write(b"\xff" * 500 + b"\r\n\r\n")
    assert await _closed(reader, writer)


async def _wait(true: Callable[[], bool]) -> None:
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
        try:
            await _wait(lambda: len(gate) + gate.refused == 8)
        except TimeoutError:
            print("STATE", len(gate), gate.refused)
            raise
        assert (len(gate), gate.refused) == (5, 3)
        for _reader, writer in opened:
            writer.close()
        await _wait(lambda: len(gate) == 0)


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
    writer.write(b"".join(_http1("/dns-query", query(name, n)) for n, name in enumerate(names)))
    found = []
    async with asyncio.timeout(20):
        while len(found) < len(names):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split()[0])
            found.append(int.from_bytes((await reader.readexactly(length))[:2], "big"))
    assert found == list(range(400))
    writer.close()
