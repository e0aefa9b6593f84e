"""DoT as phones, kdig and hostile clients use it; both encrypted listeners as a worker has them."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import dns.message
import pytest
from dnslib import DNSRecord

from filterd.listen import carrier
from filterd.listen.certificate import Certificate
from filterd.listen.encrypted import Encrypted, Sockets
from filterd.listen.tcp import StreamServer
from filterd.listen.tls import dot_server
from filterd.metrics import layout
from filterd.metrics.counters import Counters
from tests.lab.certificates import Authority
from tests.lab.encrypted import NAME, FakeHandler, client_context, kdig, listening


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def certificate(authority: Authority) -> Certificate:
    pair = authority.issue(NAME, f"*.{NAME}", "127.0.0.1")
    return Certificate(pair.certificate, pair.key)


@pytest.fixture
def handler() -> FakeHandler:
    return FakeHandler()


def streams(handler: FakeHandler) -> StreamServer:
    return StreamServer(handler, Counters.private())  # type: ignore[arg-type]


@pytest.fixture
async def port(handler: FakeHandler, certificate: Certificate) -> AsyncIterator[int]:
    async with listening(dot_server(streams(handler), certificate)) as number:
        yield number


async def connect(
    authority: Authority, port: int, name: str = NAME
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    tls = client_context(authority.file, "dot")
    return await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)


def framed(name: str, ident: int) -> bytes:
    record = DNSRecord.question(name)
    record.header.id = ident
    wire = bytes(record.pack())
    return len(wire).to_bytes(2, "big") + wire


async def read_one(reader: asyncio.StreamReader) -> dns.message.Message:
    async with asyncio.timeout(5):
        length = int.from_bytes(await reader.readexactly(2), "big")
        return dns.message.from_wire(await reader.readexactly(length))


async def test_pipelined_and_out_of_order(authority: Authority, port: int) -> None:
    reader, writer = await connect(authority, port)
    chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    writer.write(framed("late.example", 1) + framed("a.example", 2) + framed("b.example", 3))
    got = [(await read_one(reader)).id for _ in range(3)]
    writer.close()
    assert (chosen, got) == ("dot", [2, 3, 1])


async def test_who_says_goodbye_still_gets_what_was_asked(authority: Authority, port: int) -> None:
    """close_notify ends what the client says, not what it hears (RFC 8446 §6.1)."""
    tls = client_context(authority.file, "dot")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = tls.wrap_bio(incoming, outgoing, server_hostname=NAME)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def until_done(step: Callable[[], object]) -> object:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                async with asyncio.timeout(5):
                    incoming.write(await reader.read(65_536))

    await until_done(client.do_handshake)
    client.write(framed("late.example", 1))
    with pytest.raises(ssl.SSLWantReadError):
        client.unwrap()
    got = await until_done(lambda: client.read(65_536))
    writer.close()
    assert isinstance(got, bytes)
    assert dns.message.from_wire(got[2:]).id == 1


async def test_many_frames_in_many_records(authority: Authority, port: int) -> None:
    """Records that end in the middle of a frame, more than fit in one read."""
    reader, writer = await connect(authority, port)
    stream = b"".join(framed("a.example", number) for number in range(1000))
    for start in range(0, len(stream), 997):
        writer.write(stream[start : start + 997])
    assert [(await read_one(reader)).id for _ in range(1000)] == list(range(1000))
    writer.close()


async def test_a_handshake_that_never_ends_is_cut(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier, "HANDSHAKE_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x16\x03\x01")
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()


async def test_the_server_name_says_which_device(
    authority: Authority, port: int, handler: FakeHandler
) -> None:
    for name in (f"tablet3.{NAME}", NAME):
        reader, writer = await connect(authority, port, name)
        writer.write(framed("a.example", 1))
        await read_one(reader)
        writer.close()
    assert [via.device for _name, _address, via in handler.seen] == ["tablet3", None]
    assert {via.transport for _name, _address, via in handler.seen} == {layout.DOT}
    assert {via.pad for _name, _address, via in handler.seen} == {468}


@pytest.mark.skipif(shutil.which("kdig") is None, reason="Debian's knot-dnsutils is not installed")
async def test_kdig(authority: Authority, port: int) -> None:
    child = await asyncio.create_subprocess_exec(
        "kdig", "@127.0.0.1", "-p", str(port), f"+tls-ca={authority.file}",
        f"+tls-hostname={NAME}", "+keepopen", "+short", "www.example", "late.example",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _err = await asyncio.wait_for(child.communicate(), 20)
    assert out.split() == [b"192.0.2.1"] * 2


async def test_old_tls_is_refused(authority: Authority, port: int) -> None:
    tls = client_context(authority.file, "dot")
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning):
        tls.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=NAME)


async def test_plain_dns_on_the_tls_port_is_closed(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(framed("a.example", 1))
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            while await reader.read(100):
                pass
    writer.close()


async def test_both_listeners_of_a_worker(
    authority: Authority, handler: FakeHandler, tmp_path: Path
) -> None:
    pair = authority.issue(NAME, f"*.{NAME}", "127.0.0.1", file="both")
    with (
        socket.create_server(("127.0.0.1", 0)) as dot,
        socket.create_server(("127.0.0.1", 0)) as doh,
    ):
        served = Encrypted(
            (pair.certificate, pair.key), Sockets((dot,), (doh,)), handler, streams(handler)
        )
        ports = dot.getsockname()[1], doh.getsockname()[1]
        assert served.designation() == (
            f"1 {NAME}. alpn=h2,http/1.1 port={ports[1]} ipv4hint=127.0.0.1 "
            "key7=/dns-query{?dns}",
            f"2 {NAME}. alpn=dot port={ports[0]} ipv4hint=127.0.0.1",
        )
        for port, way in zip(ports, ("+tls", "+https"), strict=True):
            assert await kdig(port, way, authority.file) == [b"192.0.2.1"]
        await served.close()


async def test_an_expired_certificate_is_not_designated(
    authority: Authority, handler: FakeHandler
) -> None:
    pair = authority.issue(NAME, file="expired", days=-1)
    with socket.create_server(("127.0.0.1", 0)) as dot:
        served = Encrypted((pair.certificate, pair.key), Sockets((dot,)), handler, streams(handler))
        assert served.designation() == ()
        await served.close()
