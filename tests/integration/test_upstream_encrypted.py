"""DNS over TLS and HTTPS towards a real unbound: reuse, names, pins, and no way back to plain."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import dns.message
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from dnslib import QTYPE, RR, A, DNSRecord

from filterd import RELEASED
from filterd.errors import UpstreamError
from filterd.upstream.pool import Pool
from filterd.upstream.question import UpstreamQuestion, UpstreamReply
from filterd.upstream.settings import PoolSettings
from filterd.upstream.tls import key_digest
from filterd.wire.names import from_text, to_wire
from tests.lab.certificates import Authority, Pair
from tests.lab.lies import base
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.peers import Unbound, unbound

NAME = "dns.school.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue(NAME, "127.0.0.1")


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Iterator[Unbound]:
    with unbound(tmp_path_factory.mktemp("unbound"), pair) as ports:
        yield ports


@contextlib.asynccontextmanager
async def pool_of(authority: Authority, *upstreams: str, **more: object) -> AsyncIterator[Pool]:
    settings = PoolSettings(upstreams=upstreams, ca_file=authority.file, **more)  # type: ignore[arg-type]
    pool = Pool(settings)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


async def ask(pool: Pool, name: str = "www.lab.example", qtype: int = 1) -> UpstreamReply:
    question = UpstreamQuestion(to_wire(from_text(name)), qtype)
    return await pool.exchange(question, asyncio.get_running_loop().time() + 1.9)


def addresses(reply: UpstreamReply) -> list[str]:
    return [str(r) for rrset in dns.message.from_wire(reply.wire).answer for r in rrset]


def urls(peer: Unbound) -> dict[str, str]:
    return {
        "dot": f"tls://127.0.0.1:{peer.tls}#{NAME}",
        "dot by address": f"tls://127.0.0.1:{peer.tls}",
        "doh": f"https://{NAME}:{peer.https}/dns-query#ip=127.0.0.1",
        "doh by address": f"https://127.0.0.1:{peer.https}/dns-query",
    }


@pytest.mark.parametrize("way", ["dot", "dot by address", "doh", "doh by address"])
async def test_answers_over(authority: Authority, peer: Unbound, way: str) -> None:
    async with pool_of(authority, urls(peer)[way]) as pool:
        reply = await ask(pool)
        assert addresses(reply) == ["192.0.2.1"]
        assert reply.transport == way[:3]
        assert addresses(await ask(pool, qtype=28)) == ["2001:db8::1"]


@pytest.mark.parametrize("way", ["dot", "doh"])
async def test_one_connection_serves_many_questions(
    authority: Authority, peer: Unbound, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    opened, connect = [], loop.create_connection

    async def counted(*arguments: object, **more: object) -> object:
        opened.append(arguments)
        return await connect(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "create_connection", counted)
    async with pool_of(authority, urls(peer)[way]) as pool:
        await ask(pool)
        replies = await asyncio.gather(*(ask(pool, qtype=1 + 27 * (n % 2)) for n in range(80)))
        assert {tuple(addresses(reply)) for reply in replies} == {("192.0.2.1",), ("2001:db8::1",)}
    assert len(opened) == 1


@pytest.mark.parametrize(
    "url",
    [
        "tls://127.0.0.1:{0.tls}#another.example",
        "https://another.example:{0.https}/dns-query#ip=127.0.0.1",
        "tls://127.0.0.1:{0.dns}#dns.school.example",
        "https://127.0.0.1:{0.tls}/dns-query",
    ],
    ids=["tls for another name", "https for another name", "a plain port", "not an HTTP server"],
)
async def test_whoever_is_not_proven_is_not_asked(
    authority: Authority, peer: Unbound, url: str
) -> None:
    async with pool_of(authority, url.format(peer)) as pool:
        with pytest.raises(UpstreamError):
            await ask(pool)


async def test_an_authority_that_is_not_ours_is_not_believed(tmp_path: Path, peer: Unbound) -> None:
    async with pool_of(Authority(tmp_path), urls(peer)["dot"]) as pool:
        with pytest.raises(UpstreamError, match="certificate refused"):
            await ask(pool)


async def test_an_expired_certificate_is_refused_and_nothing_goes_out_in_plain(
    authority: Authority, tmp_path: Path
) -> None:
    expired = authority.issue(NAME, "127.0.0.1", file="expired", days=-1)
    with unbound(tmp_path, expired) as old, LyingUpstream() as plain:
        urls_in_order = (f"tls://127.0.0.1:{old.tls}#{NAME}",)
        async with pool_of(authority, *urls_in_order) as pool:
            with pytest.raises(UpstreamError, match="expired"):
                await ask(pool)
        assert plain.log == []


@pytest.mark.parametrize("way", ["dot", "doh"])
@pytest.mark.parametrize(("since", "days"), [(-20, -1), (1, 2)], ids=["has ended", "has not begun"])
async def test_dates_are_judged_only_by_a_clock_that_is_believed(
    authority: Authority, tmp_path: Path, way: str, since: int, days: int
) -> None:
    """A box that starts in 1970 reaches its upstream; once the time is known it judges again."""
    pair = authority.issue(NAME, "127.0.0.1", file=f"{way}{since}", since=since, days=days)
    with unbound(tmp_path, pair) as other:
        async with pool_of(authority, urls(other)[way]) as pool:
            pool.believe_clock(False)
            assert addresses(await ask(pool)) == ["192.0.2.1"]
            pool.believe_clock(True)
            with pytest.raises(UpstreamError, match="certificate refused"):
                await ask(pool)


async def test_without_a_clock_the_name_and_the_authority_are_held_as_ever(
    authority: Authority, tmp_path: Path, peer: Unbound
) -> None:
    for whose, url in (
        (authority, f"tls://127.0.0.1:{peer.tls}#another.example"),
        (Authority(tmp_path), urls(peer)["dot"]),
    ):
        async with pool_of(whose, url) as pool:
            pool.believe_clock(False)
            with pytest.raises(UpstreamError, match="certificate refused"):
                await ask(pool)


async def test_without_a_clock_a_certificate_from_before_this_release_is_refused(
    authority: Authority, tmp_path: Path
) -> None:
    """Its key may have been stolen since: no true clock would accept it."""
    age = (datetime.now(UTC) - RELEASED).days
    old = authority.issue(NAME, "127.0.0.1", file="old", since=-age - 90, days=-age - 2)
    with unbound(tmp_path, old) as other:
        async with pool_of(authority, urls(other)["dot"]) as pool:
            pool.believe_clock(False)
            with pytest.raises(UpstreamError, match="before this filterd was released"):
                await ask(pool)


def _pin(pair: Pair) -> str:
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    return base64.b64encode(key_digest(certificate.public_bytes(Encoding.DER))).decode()


async def test_a_pinned_key_needs_no_authority(tmp_path: Path, pair: Pair, peer: Unbound) -> None:
    url = f"tls://127.0.0.1:{peer.tls}#pin={_pin(pair)}"
    async with pool_of(Authority(tmp_path), url) as pool:
        assert addresses(await ask(pool)) == ["192.0.2.1"]


@pytest.mark.parametrize("way", ["dot", "doh"])
async def test_another_key_than_the_pinned_one_is_refused(
    authority: Authority, peer: Unbound, way: str
) -> None:
    other = authority.issue(NAME, file="other")
    async with pool_of(authority, f"{urls(peer)[way]};pin={_pin(other)}") as pool:
        with pytest.raises(UpstreamError, match="pinned"):
            await ask(pool)


async def test_a_host_name_is_looked_up_first(authority: Authority, peer: Unbound) -> None:
    """The plain upstream of the pool serves as bootstrap; it is dead for everything else."""
    with LyingUpstream(replies={"dns": _loopback}) as plain:
        async with pool_of(
            authority, f"tls://{NAME}:{peer.tls}", plain.url, strategy="sequential"
        ) as pool:
            reply = await ask(pool)
        assert reply.transport == "dot"
        assert {seen.qname.lower() for seen in plain.queries("dns")} == {NAME}


def _loopback(record: DNSRecord, _transport: str) -> list[tuple[float, bytes]]:
    reply = base(record)
    if record.q.qtype == QTYPE.A:
        reply.add_answer(RR(record.q.qname, QTYPE.A, ttl=60, rdata=A("127.0.0.1")))
    return [(0.0, reply.pack())]


async def test_an_upstream_that_is_back_is_used_again(authority: Authority, tmp_path: Path) -> None:
    """The connection of a server that was restarted is replaced without an error."""
    pair = authority.issue(NAME, file="again")
    with unbound(tmp_path, pair) as first:
        async with pool_of(authority, f"tls://127.0.0.1:{first.tls}#{NAME}") as pool:
            await ask(pool)
            (channel,) = pool._upstreams[0].transport._channels  # type: ignore[attr-defined]
            channel._transport.get_extra_info("socket").shutdown(2)
            assert addresses(await ask(pool)) == ["192.0.2.1"]
