"""One question upstream for all who ask, and what they get when upstreams are slow or gone."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from filterd.errors import UpstreamError
from filterd.metrics import layout
from filterd.resolve.source import Limits
from filterd.wire import constants as c
from tests.lab.school import (
    DOWN,
    MAPPED,
    PUPIL,
    STAFF,
    Bench,
    Rules,
    School,
    block,
    pupils_without,
)

EVERYTHING = pupils_without({})
LAPTOP = MAPPED + bytes([10, 0, 11, 1])
BOX = MAPPED + bytes([127, 0, 0, 1])
WWW = {"www.example A": ["www.example. 100 A 192.0.2.1"]}


def codes(response: dns.message.Message) -> list[int]:
    return [int(o.code) for o in response.options if isinstance(o, dns.edns.EDEOption)]


async def test_two_hundred_clients_are_one_upstream_query_whatever_their_options() -> None:
    bench = Bench(EVERYTHING, WWW, Limits(pending=1000))
    bench.upstream.gate = gate = asyncio.Event()
    chance = random.Random(5)
    for number in range(200):
        name = "".join(chance.choice((x.upper(), x)) for x in "www.example")
        options = [dns.edns.ECSOption("192.0.2.0", 24)] if chance.random() < 0.5 else []
        query = dns.message.make_query(name, "A", use_edns=0, options=options)
        query.want_dnssec(chance.random() < 0.5)
        query.id = number
        for flag in (dns.flags.CD, dns.flags.AD):
            query.flags |= flag if chance.random() < 0.5 else 0
        source = MAPPED + bytes([127, 0, 11, number])
        via = bench.via()
        assert bench.handler.try_answer(query.to_wire(), source, bench.now(), via) is None
    await asyncio.sleep(0)
    gate.set()
    found = await bench.answers(200)
    assert {each.id for each in found} == set(range(200))
    assert all(str(each.answer[0][0]) == "192.0.2.1" for each in found)
    assert len(bench.upstream.asked) == 1
    assert not [o for each in found for o in each.options]


async def test_a_popular_name_is_asked_anew_before_it_runs_out() -> None:
    bench = Bench(EVERYTHING, WWW)
    for _ in range(4):
        await bench.ask("www.example")
    bench.skew = 95
    await bench.ask("www.example")
    await asyncio.sleep(0.01)
    assert len(bench.upstream.asked) == 2
    assert bench.counters.values[layout.single_place("cache_prefetches")] == 1


async def test_an_old_answer_is_given_when_nobody_answers_but_never_to_the_wrong_tier() -> None:
    school = pupils_without({})
    bench = Bench(school, WWW)
    await bench.ask("www.example")
    bench.skew = 200
    bench.upstream.script["www.example A"] = DOWN
    stale = await bench.ask("www.example", use_edns=0)
    assert (str(stale.answer[0][0]), stale.answer[0].ttl) == ("192.0.2.1", 30)
    assert codes(stale) == [c.EDE_STALE]
    school.tiers["primary"].names["www.example"] = block("malware")
    bench.handler.placements.swap(school.running())
    assert (await bench.ask("www.example")).rcode() == c.NXDOMAIN
    assert (await bench.ask("www.example", source=STAFF, use_edns=0)).answer[0].ttl == 30


async def test_a_slow_upstream_gives_way_to_an_old_answer_after_1800_ms() -> None:
    bench = Bench(EVERYTHING, WWW)
    await bench.ask("www.example")
    bench.skew = 200
    bench.upstream.gate = asyncio.Event()
    start = bench.now()
    stale = await bench.ask("www.example", use_edns=0)
    assert 1.7 < bench.now() - start < 2.5
    assert codes(stale) == [c.EDE_STALE]
    bench.upstream.gate.set()


async def test_too_old_an_answer_is_none() -> None:
    bench = Bench(EVERYTHING, WWW)
    await bench.ask("www.example")
    bench.skew = 86_400 + 200
    bench.upstream.script["www.example A"] = DOWN
    assert (await bench.ask("www.example")).rcode() == c.SERVFAIL


async def test_failures_are_forgotten_slower_the_longer_they_last() -> None:
    bench = Bench(EVERYTHING, {"dead.example A": DOWN})
    asked = []
    for second in range(70):
        bench.skew = second
        await bench.ask("dead.example")
        asked.append(len(bench.upstream.asked))
    assert asked[0] == 1
    assert asked[-1] <= 7  # after 1, 2, 4, 8, 16 and 30 seconds


async def test_a_name_that_does_not_validate_is_given_to_those_who_check_themselves() -> None:
    def bogus(query: dns.message.Message) -> bytes:
        reply = dns.message.make_response(query)
        reply.set_rcode(dns.rcode.SERVFAIL)
        reply.use_edns(0, options=[dns.edns.EDEOption(6, "signature expired")])
        return reply.to_wire()

    bench = Bench(EVERYTHING, {"b.example A": bogus, "b.example A cd": WWW["www.example A"]})
    bench.upstream.script["b.example A cd"] = ["b.example. 100 A 192.0.2.6"]
    refused = await bench.ask("b.example", use_edns=0)
    assert (refused.rcode(), codes(refused)) == (c.SERVFAIL, [6])
    for _ in range(2):
        query = dns.message.make_query("b.example", "A")
        query.flags |= dns.flags.CD
        checked = dns.message.from_wire(await bench.wire(query.to_wire()))
        assert str(checked.answer[0][0]) == "192.0.2.6"
        assert checked.flags & dns.flags.CD
    assert (await bench.ask("b.example")).rcode() == c.SERVFAIL
    assert [q.cd for q in bench.upstream.asked] == [False, True]


async def test_an_answer_without_ttl_is_given_and_not_kept() -> None:
    bench = Bench(EVERYTHING, {"zero.example A": ["zero.example. 0 A 192.0.2.1"]})
    for count in (1, 2):
        response = await bench.ask("zero.example")
        assert response.answer[0].ttl == 0
        assert len(bench.upstream.asked) == count


async def test_a_client_waits_for_so_many_answers_and_no_more() -> None:
    bench = Bench(EVERYTHING, {}, Limits(pending=3))
    bench.handler.placements._allowed = lambda address: True
    bench.upstream.gate = asyncio.Event()
    for number in range(3):
        query = dns.message.make_query(f"n{number}.example", "A")
        found = bench.handler.try_answer(query.to_wire(), LAPTOP, bench.now(), bench.via())
        assert found is None
    assert (await bench.ask("n4.example", source=LAPTOP)).rcode() == c.REFUSED
    other = MAPPED + bytes([10, 0, 11, 2])
    query = dns.message.make_query("n5.example", "A")
    assert bench.handler.try_answer(query.to_wire(), other, bench.now(), bench.via()) is None
    bench.upstream.gate.set()
    await bench.answers(4)


def with_cookie(name: str, cookie: bytes) -> bytes:
    query = dns.message.make_query(name, "TXT", use_edns=0, payload=1232)
    query.use_edns(0, payload=1232, options=[dns.edns.GenericOption(c.OPTION_COOKIE, cookie)])
    return query.to_wire()


@pytest.mark.parametrize("proven", [False, True], ids=["anybody", "with our cookie"])
async def test_what_was_held_back_does_not_fall_on_one_address_at_once(proven: bool) -> None:
    """Sixty large answers let go together: so much whole, the rest truncated; nobody is dropped.
    Who sent our cookie back has not forged the address."""
    text = [f'big.slow.example. 60 TXT "{"x" * 250}" "{"y" * 250}" "{"z" * 250}"']
    bench = Bench(EVERYTHING, {"big.slow.example TXT": text}, Limits(burst_bytes=20_000))
    bench.handler.placements._allowed = lambda address: True
    cookie = b"8 octets"
    if proven:
        first = with_cookie("first.example", cookie)
        answer = dns.message.from_wire(await bench.wire(first, LAPTOP))
        cookie = next(each for each in answer.options if each.otype == c.OPTION_COOKIE).to_wire()
        bench.sent.clear()
    bench.upstream.gate = asyncio.Event()
    query, now = with_cookie("big.slow.example", cookie), bench.now()
    bench.handler._monotonic = lambda: now  # all within one instant, however busy the machine
    for _ in range(60):
        assert bench.handler.try_answer(query, LAPTOP, now, bench.via()) is None
    bench.upstream.gate.set()
    found = await bench.answers(60)
    whole = [each for each in found if each.answer]
    assert len(whole) == 60 if proven else 20 <= len(whole) <= 26
    assert all(each.flags & dns.flags.TC for each in found if not each.answer)
    assert {each.rcode() for each in found} == {c.NOERROR}
    assert bench.counters.values[layout.single_place("truncated")] == 60 - len(whole)


@pytest.mark.parametrize("address", [LAPTOP, BOX], ids=["behind one address", "this box"])
async def test_a_class_of_forty_that_opens_one_lesson_at_once_is_served(address: bytes) -> None:
    bench = Bench(EVERYTHING, {"n1.lesson.example A": ["n1.lesson.example. 60 A 192.0.2.1"]})
    bench.handler.placements._allowed = lambda address: True
    bench.upstream.gate = asyncio.Event()
    for _ in range(40):
        for number in range(12):
            query = dns.message.make_query(f"n{number}.lesson.example", "A").to_wire()
            assert bench.handler.try_answer(query, address, bench.now(), bench.via()) is None
    bench.upstream.gate.set()
    found = await bench.answers(480)
    assert {each.rcode() for each in found} == {c.NOERROR}
    assert sum(bool(each.answer) for each in found) == 40


async def test_one_who_fills_the_crowd_leaves_room_for_others() -> None:
    """A flood of new names waits; the flooder gets no more, others do, and all may join."""
    bench = Bench(EVERYTHING, {}, Limits(crowd=30, share=5))
    bench.handler.placements._allowed = lambda address: True
    bench.upstream.gate = asyncio.Event()

    def ask(number: int, source: bytes) -> int | None:
        wire = dns.message.make_query(f"n{number}.example", "A").to_wire()
        found = bench.handler.try_answer(wire, source, bench.now(), bench.via())
        return None if found is None else found[3] & 15

    other = MAPPED + bytes([10, 0, 11, 2])
    assert [ask(n, LAPTOP) for n in range(32)] == [None] * 30 + [c.REFUSED] * 2
    assert [ask(n, other) for n in range(100, 106)] == [None] * 5 + [c.REFUSED]
    assert ask(3, LAPTOP) is None, "who asks the same waits with the others"
    assert ask(106, BOX) is None
    bench.upstream.gate.set()
    await bench.answers(37)


async def test_this_box_itself_is_bounded_by_what_is_in_flight_alone() -> None:
    bench = Bench(EVERYTHING, {}, Limits(pending=3, in_flight=50, burst_bytes=100))
    bench.handler.placements._allowed = lambda address: True
    bench.upstream.gate = asyncio.Event()
    queries = [dns.message.make_query(f"n{n}.example", "A").to_wire() for n in range(51)]
    for query in queries[:50]:
        assert bench.handler.try_answer(query, BOX, bench.now(), bench.via()) is None
    refused = bench.handler.try_answer(queries[50], BOX, bench.now(), bench.via())
    assert refused is not None and refused[3] & 15 == c.REFUSED
    bench.upstream.gate.set()
    await bench.answers(50)


async def test_over_its_rate_a_client_is_sent_to_tcp_or_hears_nothing() -> None:
    bench = Bench(pupils_without({"game.example": block()}), {}, Limits(rate=1, burst=5))
    client = MAPPED + bytes([127, 0, 11, 1])
    remote = MAPPED + bytes([126, 0, 11, 1])
    bench.handler.placements._allowed = lambda address: True
    query = dns.message.make_query("game.example", "A").to_wire()
    heard = [bench.handler.try_answer(query, remote, bench.now(), bench.via()) for _ in range(25)]
    assert [each is not None and not each[2] & 2 for each in heard[:5]] == [True] * 5
    assert sum(each is None for each in heard[5:]) == 10
    assert all(each[2] & 2 for each in heard[5:] if each is not None)
    local = [bench.handler.try_answer(query, client, bench.now(), bench.via()) for _ in range(25)]
    assert all(local)


async def test_an_exchange_that_breaks_leaves_nobody_waiting() -> None:
    bench = Bench(EVERYTHING, {"b.example A": RuntimeError("bug"), "c.example A": lambda _: b""})
    assert (await bench.ask("b.example")).rcode() == c.SERVFAIL
    assert (await bench.ask("c.example")).rcode() == c.SERVFAIL


async def test_an_answer_to_another_question_is_not_an_answer() -> None:
    def other(_: dns.message.Message) -> bytes:
        wrong = dns.message.make_query("bank.example", "A")
        return dns.message.make_response(wrong).to_wire()

    bench = Bench(EVERYTHING, {"www.example A": other})
    assert (await bench.ask("www.example")).rcode() == c.SERVFAIL


async def test_records_that_answer_nothing_are_neither_given_nor_kept() -> None:
    lines = ["www.example. 100 A 192.0.2.1", "bank.example. 100 A 192.0.2.66"]
    bench = Bench(EVERYTHING, {"www.example A": lines})
    response = await bench.ask("www.example")
    assert [r.name.to_text() for r in response.answer] == ["www.example."]
    await bench.ask("bank.example")
    assert len(bench.upstream.asked) == 2


async def test_no_answer_outlives_the_lesson() -> None:
    bell = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    lesson = Rules({"game.example": block()}, 1, bell)
    pause = Rules({}, 2, bell + timedelta(minutes=15))
    school = School(lesson, Rules({}, 3))
    bench = Bench(school, {**WWW, "game.example A": ["game.example. 100 A 192.0.2.5"]})
    bench.at = bell - timedelta(seconds=10)
    bench.handler.placements.swap(school.running())
    assert (await bench.ask("game.example")).authority[0].ttl <= 10
    for _ in range(2):
        assert (await bench.ask("www.example")).answer[0].ttl <= 10
    school.tiers["primary"] = pause
    bench.at = bell
    bench.skew = 10
    allowed = await bench.ask("game.example")
    assert str(allowed.answer[0][0]) == "192.0.2.5"


async def test_a_device_token_decides_over_the_address() -> None:
    bench = Bench(pupils_without({"game.example": block()}))
    query = dns.message.make_query("game.example", "A").to_wire()
    for device, rcode in (("staff", 0), (None, c.NXDOMAIN)):
        via = bench.via(layout.DOT, device)
        assert dns.message.from_wire(await bench.wire(query, PUPIL, via)).rcode() == rcode


async def test_padding_clients_are_padded_to_468() -> None:
    bench = Bench(pupils_without({"game.example": block()}))
    padding = dns.edns.GenericOption(dns.edns.OptionType(12), bytes(20))
    for options, padded in (([padding], True), ([], False)):
        query = dns.message.make_query("game.example", "A", use_edns=0, options=options)
        via = bench.via(layout.DOT, pad=468)
        size = len(await bench.wire(query.to_wire(), PUPIL, via))
        assert (size % 468 == 0) == padded
        repeated = bench.memo.repeat(query.to_wire(), PUPIL, layout.DOT)
        assert repeated is not None, "who pads is answered from the memo as well"
        assert len(repeated) == size


@pytest.mark.parametrize("error", [UpstreamError("bogus", 6), UpstreamError("late", 23)])
async def test_the_upstreams_reason_reaches_the_client(error: UpstreamError) -> None:
    bench = Bench(EVERYTHING, {"x.example A": error})
    assert codes(await bench.ask("x.example", use_edns=0)) == [error.ede]
