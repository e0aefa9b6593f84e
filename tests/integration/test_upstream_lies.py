"""The pool against an upstream that lies: the good answer arrives, no lie is ever accepted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import dns.message
import pytest

from filterd.errors import UpstreamError
from filterd.upstream.pool import Pool
from filterd.upstream.question import UpstreamQuestion, UpstreamReply
from filterd.upstream.settings import PoolSettings
from filterd.wire.names import from_text, to_wire
from tests.lab.lying_upstream import LATE, TWELVE, LyingUpstream

A, AAAA = 1, 28


@pytest.fixture
def upstream() -> Iterator[LyingUpstream]:
    with LyingUpstream() as lying:
        yield lying


@pytest.fixture
async def pool(upstream: LyingUpstream) -> AsyncIterator[Pool]:
    made = Pool(PoolSettings(upstreams=(upstream.url,)))
    await made.start()
    yield made
    await made.close()


async def ask(pool: Pool, name: str, qtype: int = A, seconds: float = 1.9) -> UpstreamReply:
    question = UpstreamQuestion(to_wire(from_text(name)), qtype)
    return await pool.exchange(question, asyncio.get_running_loop().time() + seconds)


def addresses(reply: UpstreamReply) -> list[str]:
    message = dns.message.from_wire(reply.wire)
    return [str(rdata) for rrset in message.answer for rdata in rrset]


@pytest.mark.parametrize("lie", TWELVE)
async def test_the_good_answer_after_a_lie(pool: Pool, lie: str) -> None:
    begun = asyncio.get_running_loop().time()
    reply = await ask(pool, f"{lie}.example.com")
    assert addresses(reply)[0] == "192.0.2.1"
    if lie != "extra":
        assert asyncio.get_running_loop().time() - begun >= LATE, "the lie came first"
        assert pool.snapshot()[0].malformed + pool.snapshot()[0].wrong_ids == 1


@pytest.mark.parametrize(
    "lie", ["wrongcookie", "badcookie", "lowercase", "formerr", "tc", "manyids50"]
)
async def test_the_good_answer_by_another_way(pool: Pool, lie: str) -> None:
    assert addresses(await ask(pool, f"{lie}.example.com")) == ["192.0.2.1"]


async def test_many_wrong_ids_lead_to_tcp_and_are_counted(
    pool: Pool, upstream: LyingUpstream
) -> None:
    reply = await ask(pool, "manyids50.example.com")
    assert reply.transport == "tcp"
    assert [seen.transport for seen in upstream.queries("manyids50")] == ["udp", "tcp"]
    assert pool.snapshot()[0].wrong_ids >= 2


async def test_ports_ids_and_case_are_drawn_anew(pool: Pool, upstream: LyingUpstream) -> None:
    name = "a-name-with-many-letters.example.com"
    await asyncio.gather(*(ask(pool, name) for _ in range(60)))
    assert len({seen.port for seen in upstream.log}) >= 55
    assert len({seen.ident for seen in upstream.log}) >= 58
    assert len({seen.qname for seen in upstream.log}) >= 59


async def test_nothing_but_our_own_options_leaves(pool: Pool, upstream: LyingUpstream) -> None:
    await ask(pool, "good.example.com")
    (seen,) = upstream.log
    assert seen.options.keys() == {10}
    assert seen.edns_size == 1232


async def test_the_server_cookie_comes_back(pool: Pool, upstream: LyingUpstream) -> None:
    await ask(pool, "one.example.com")
    await ask(pool, "two.example.com")
    first, second = (seen.options[10] for seen in upstream.log)
    assert len(first) == 8
    assert second == first + b"fromlab!"


async def test_a_reply_without_the_cookie_it_owes_is_checked_over_tcp(
    pool: Pool, upstream: LyingUpstream
) -> None:
    await ask(pool, "one.example.com")
    reply = await ask(pool, "nocookie.example.com")
    assert reply.transport == "tcp"


async def test_an_upstream_that_changes_case_is_learnt_over_tcp_only(
    pool: Pool, upstream: LyingUpstream
) -> None:
    assert (await ask(pool, "lowercase.example.com")).transport == "tcp"
    assert not pool.snapshot()[0].keeps_case
    assert (await ask(pool, "lowercase.example.org")).transport == "udp"


async def test_edns_is_left_out_where_it_is_refused(pool: Pool, upstream: LyingUpstream) -> None:
    assert addresses(await ask(pool, "formerr.example.com")) == ["192.0.2.1"]
    assert [seen.edns_size for seen in upstream.queries("formerr")] == [1232, 0]


@pytest.mark.parametrize("lie", ["dead", "refused"])
async def test_no_reply_is_an_error_in_time(pool: Pool, upstream: LyingUpstream, lie: str) -> None:
    begun = asyncio.get_running_loop().time()
    with pytest.raises(UpstreamError):
        await ask(pool, f"{lie}.example.com", seconds=5)
    assert asyncio.get_running_loop().time() - begun < 2.0
    assert 1 <= len(upstream.queries(lie)) <= 3


async def test_only_unusable_replies_say_so(upstream: LyingUpstream) -> None:
    upstream._extra["garbage"] = lambda record, _transport: [
        (0.0, record.pack()[:2] + b"\x81" * 30)
    ]
    pool = Pool(PoolSettings(upstreams=(upstream.url,)))
    await pool.start()
    try:
        with pytest.raises(UpstreamError) as caught:
            await ask(pool, "garbage.example.com", seconds=0.4)
    finally:
        await pool.close()
    assert caught.value.ede == 24


async def test_servfail_of_the_only_upstream_comes_back_as_it_is(pool: Pool) -> None:
    reply = await ask(pool, "servfail.example.com")
    assert dns.message.from_wire(reply.wire).rcode() == 2


async def test_big_answers_come_over_tcp(pool: Pool) -> None:
    reply = await ask(pool, "big300.example.com")
    assert reply.transport == "tcp"
    assert len(addresses(reply)) == 300


async def test_tcp_is_reused_and_pipelined(pool: Pool, upstream: LyingUpstream) -> None:
    slow = asyncio.create_task(ask(pool, "big100.example.com"))
    await asyncio.gather(slow, *(ask(pool, f"tc.example{number}.com") for number in range(20)))
    assert upstream.connections == 1
