"""Several upstreams: who is asked when one is dead, slow, refusing or lying, and zones apart."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import dns.message
import pytest
from dnslib import CNAME, QTYPE, RR, A, DNSRecord

from filterd.errors import ConfigError, UpstreamError
from filterd.upstream import health
from filterd.upstream.health import State
from filterd.upstream.pool import Pool
from filterd.upstream.question import UpstreamQuestion, UpstreamReply
from filterd.upstream.settings import PoolSettings, Strategy
from filterd.wire.names import from_text, to_wire
from tests.lab.lies import Replies, base, good
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.peers import free_port

STRATEGIES = list(Strategy)


@contextlib.asynccontextmanager
async def pool_of(*upstreams: str, **more: object) -> AsyncIterator[Pool]:
    pool = Pool(PoolSettings(upstreams=upstreams, **more))  # type: ignore[arg-type]
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


async def ask(pool: Pool, name: str, qtype: int = 1, seconds: float = 1.9) -> UpstreamReply:
    question = UpstreamQuestion(to_wire(from_text(name)), qtype)
    return await pool.exchange(question, asyncio.get_running_loop().time() + seconds)


async def until(true: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


def answers(reply: UpstreamReply) -> list[str]:
    return [str(r) for rrset in dns.message.from_wire(reply.wire).answer for r in rrset]


def always(make: Callable[[DNSRecord], DNSRecord]) -> Callable[[DNSRecord, str], Replies]:
    return lambda record, _transport: [(0.0, bytes(make(record).pack()))]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("fault", ["refused", "servfail", "notimp", "dead"])
async def test_the_next_upstream_answers_for_one_that_does_not(
    strategy: Strategy, fault: str
) -> None:
    with LyingUpstream() as bad, LyingUpstream(replies={fault: always(good)}) as fine:
        async with pool_of(bad.url, fine.url, strategy=strategy) as pool:
            reply = await ask(pool, f"{fault}.example.com")
            assert answers(reply) == ["192.0.2.1"]
            assert reply.upstream == fine.url


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_closed_port_costs_nothing_and_is_held_down(strategy: Strategy) -> None:
    closed = f"udp://127.0.0.1:{free_port()}"
    with LyingUpstream() as fine:
        async with pool_of(closed, fine.url, strategy=strategy) as pool:
            begun = time.monotonic()
            for number in range(20):
                assert answers(await ask(pool, f"n{number}.example.com")) == ["192.0.2.1"]
            assert time.monotonic() - begun < 1
            first = pool.snapshot()[0]
            assert first.state is State.HELD
            assert first.queries <= 3


async def test_a_validators_verdict_is_final() -> None:
    """SERVFAIL with EDE 6: the next upstream may not validate and would serve the forgery."""
    with LyingUpstream() as validating, LyingUpstream(replies={"bogus": always(good)}) as lax:
        async with pool_of(validating.url, lax.url, strategy=Strategy.SEQUENTIAL) as pool:
            reply = await ask(pool, "bogus.example.com")
            assert dns.message.from_wire(reply.wire).rcode() == 2
            assert lax.log == []


@pytest.mark.parametrize(
    ("strategy", "count"),
    [
        (Strategy.PARALLEL, 1),
        (Strategy.PARALLEL, 5),
        (Strategy.FASTEST, 2),
        (Strategy.SEQUENTIAL, 5),
    ],
)
async def test_at_most_three_queries_leave_for_one_question(strategy: Strategy, count: int) -> None:
    with contextlib.ExitStack() as stack:
        dead = [stack.enter_context(LyingUpstream()) for _ in range(count)]
        async with pool_of(*(one.url for one in dead), strategy=strategy) as pool:
            begun = time.monotonic()
            with pytest.raises(UpstreamError) as caught:
                await ask(pool, "dead.example.com", seconds=10)
            assert time.monotonic() - begun < 2
            assert caught.value.ede == 22
        assert 1 <= sum(len(one.log) for one in dead) <= 3


async def test_a_slow_upstream_is_hedged_after_its_usual_time() -> None:
    with LyingUpstream() as slow, LyingUpstream(replies={"slow": always(good)}) as fine:
        async with pool_of(slow.url, fine.url, strategy=Strategy.FASTEST) as pool:
            for number in range(20):
                await ask(pool, f"n{number}.example.com")
            begun = time.monotonic()
            reply = await ask(pool, "slow1500.example.com")
            assert answers(reply) == ["192.0.2.1"]
            assert time.monotonic() - begun < 0.5


async def test_one_that_comes_back_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held down after refusals by the network, probed at the end of the hold, then up."""
    monkeypatch.setattr(health, "HOLD_FIRST_SECONDS", 0.1)
    port = free_port()
    with LyingUpstream() as fine:
        async with pool_of(
            f"udp://127.0.0.1:{port}", fine.url, strategy=Strategy.SEQUENTIAL
        ) as pool:
            await ask(pool, "one.example.com")
            assert pool.snapshot()[0].state is State.HELD
            with LyingUpstream(port=port) as returned:
                await until(lambda: pool.snapshot()[0].state is State.UP)
                reply = await ask(pool, "two.example.com")
                assert reply.upstream == returned.url


async def test_the_hold_grows_while_probes_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "HOLD_FIRST_SECONDS", 0.02)
    closed = f"udp://127.0.0.1:{free_port()}"
    with LyingUpstream() as fine:
        async with pool_of(closed, fine.url, strategy=Strategy.SEQUENTIAL) as pool:
            await ask(pool, "one.example.com")
            await until(lambda: pool._upstreams[0].health.hold_seconds >= 0.16)
            assert pool.snapshot()[0].queries <= 5


async def test_a_lone_upstream_that_was_down_answers_the_moment_it_is_back() -> None:
    """With everything held down questions are still sent: they are the best probes."""
    port = free_port()
    async with pool_of(f"udp://127.0.0.1:{port}") as pool:
        with pytest.raises(UpstreamError) as caught:
            await ask(pool, "one.example.com")
        assert caught.value.ede == 23
        with LyingUpstream(port=port):
            assert answers(await ask(pool, "two.example.com")) == ["192.0.2.1"]
            assert pool.snapshot()[0].state is State.UP


async def test_fastest_prefers_the_faster_one() -> None:
    late = {"n": lambda record, _transport: [(0.03, good(record).pack())]}
    with LyingUpstream(replies=late) as slow, LyingUpstream(replies={"n": always(good)}) as quick:
        async with pool_of(slow.url, quick.url, strategy=Strategy.FASTEST) as pool:
            used = Counter([(await ask(pool, "n.example.com")).upstream for _ in range(40)])
            assert used[quick.url] >= 36


async def test_a_conditional_zone_goes_to_its_own_upstreams_only() -> None:
    with LyingUpstream() as public, LyingUpstream() as internal:
        zones = {"school.lan": (internal.url,), "deep.school.lan": (public.url,)}
        async with pool_of(public.url, conditional=zones) as pool:
            await ask(pool, "files.school.lan")
            await ask(pool, "school.lan")
            await ask(pool, "x.deep.school.lan")
            await ask(pool, "notschool.lan")
        asked = {seen.qname.lower() for seen in internal.log}
        assert asked == {"files.school.lan", "school.lan"}
        assert {seen.qname.lower() for seen in public.log} == {"x.deep.school.lan", "notschool.lan"}


async def test_an_internal_upstream_has_no_say_outside_its_zone() -> None:
    def poisoned(record: DNSRecord) -> DNSRecord:
        reply = base(record)
        bank = RR("bank.example", QTYPE.A, ttl=300, rdata=A("203.0.113.66"))
        reply.add_answer(RR(record.q.qname, QTYPE.CNAME, ttl=300, rdata=CNAME("bank.example")))
        reply.add_answer(bank)
        reply.add_auth(bank)
        reply.add_ar(bank)
        return reply

    with LyingUpstream(replies={"trap": always(poisoned)}) as internal:
        async with pool_of(internal.url, conditional={"school.lan": (internal.url,)}) as pool:
            reply = await ask(pool, "trap.school.lan")
            message = dns.message.from_wire(reply.wire)
            assert [rrset.name.to_text().lower() for rrset in message.answer] == [
                "trap.school.lan."
            ]
            assert message.authority == []
            assert message.additional == []
            assert message.edns == 0
            assert reply.zone == to_wire(from_text("school.lan"))


async def test_the_systems_resolvers_are_asked_when_none_is_configured(tmp_path: Path) -> None:
    """127.0.0.53:53 cannot be had in a test, so what is read is looked at, then asked in vain."""
    conf = tmp_path / "resolv.conf"
    conf.write_text("search school.lan\nnameserver 127.9.9.1\nnameserver 127.9.9.2\n")
    async with pool_of(resolv_conf=conf, own=frozenset({("127.9.9.2", 53)})) as pool:
        assert [one.name for one in pool.snapshot()] == ["127.9.9.1"]
        with pytest.raises(UpstreamError):
            await ask(pool, "one.example.com", seconds=0.3)


async def test_without_any_resolver_the_error_says_so(tmp_path: Path) -> None:
    async with pool_of(resolv_conf=tmp_path / "missing") as pool:
        with pytest.raises(UpstreamError, match="no upstream is configured"):
            await ask(pool, "one.example.com")


def test_all_mistakes_in_the_settings_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Pool(
            PoolSettings(
                upstreams=("quic://1.1.1.1", "udp://dns.example", "udp://192.0.2.1"),
                conditional={"school..lan": ("udp://10.0.0.1",), "b.lan": ("tls://",)},
            )
        )
    assert [problem.key for problem in caught.value.problems] == [
        "upstreams",
        "upstreams",
        "conditional.school..lan",
        "conditional.b.lan",
    ]


async def test_cancelled_questions_leave_no_socket_behind() -> None:
    with LyingUpstream() as upstream:
        async with pool_of(upstream.url) as pool:
            tasks = [asyncio.create_task(ask(pool, f"dead{n}.example.com")) for n in range(30)]
            await until(lambda: len(upstream.log) == 30)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert pool._sockets is not None
            assert len(pool._sockets) == 0
