"""What a client sees for each kind of verdict, tier and failure."""

from __future__ import annotations

import asyncio

import dns.edns
import dns.flags
import dns.message
import pytest

from filterd.policy.model import Action, Name
from filterd.policy.verdict import Alias, Origin, Rewritten, Step, Verdict
from filterd.wire import constants as c
from tests.lab.school import (
    DOWN,
    PUPIL,
    STAFF,
    STRANGER,
    Bench,
    Rules,
    School,
    alias,
    block,
    local,
    pupils_without,
)

SOA = "example.com. 900 SOA ns.example.com. h.example.com. 1 1 1 1 60"
SCRIPT = {
    "www.example.com A": ["www.example.com. 300 A 192.0.2.1"],
    "none.example.com A": [f"!{SOA}"],
    "cloaked.example.com A": [
        "cloaked.example.com. 300 CNAME play.game.example.",
        "play.game.example. 300 A 192.0.2.2",
    ],
    "safe.search.example A": ["safe.search.example. 3600 A 192.0.2.77"],
    "rebind.example.com A": [
        "rebind.example.com. 300 A 10.0.0.1",
        "rebind.example.com. 300 A 192.0.2.3",
    ],
}
NAMES: dict[str, Verdict] = {
    "game.example": block("games"),
    "www.search.example": alias("safe.search.example"),
    "printer.school.lan": local(0, ("printer.school.lan", "A", 60, "192.0.2.9")),
    "gone.school.lan": local(3),
}


def school(more: dict[str, Verdict] | None = None) -> School:
    return pupils_without({**NAMES, **(more or {})})


@pytest.fixture
def bench() -> Bench:
    return Bench(school(), SCRIPT)


def codes(response: dns.message.Message) -> list[int]:
    return [int(o.code) for o in response.options if isinstance(o, dns.edns.EDEOption)]


async def test_an_allowed_name_is_forwarded_once_and_then_cached(bench: Bench) -> None:
    first = await bench.ask("www.example.com")
    second = await bench.ask("WWW.example.COM")
    assert str(first.answer[0][0]) == "192.0.2.1"
    assert second.answer[0].ttl == 300
    assert second.question[0].name.to_text() == "WWW.example.COM."
    assert len(bench.upstream.asked) == 1
    assert not second.flags & (dns.flags.AA | dns.flags.AD)
    assert second.flags & dns.flags.RA


async def test_tiers_share_the_cache_but_never_the_verdict(bench: Bench) -> None:
    teacher = await bench.ask("cloaked.example.com", source=STAFF)
    pupil = await bench.ask("cloaked.example.com", source=PUPIL)
    assert teacher.rcode() == 0
    assert len(teacher.answer) == 2
    assert pupil.rcode() == c.NXDOMAIN
    assert not pupil.answer
    assert len(bench.upstream.asked) == 1


async def test_two_tiers_asking_at_the_same_time_get_their_own_answers(bench: Bench) -> None:
    bench.upstream.gate = asyncio.Event()
    query = dns.message.make_query("cloaked.example.com", "A")
    for source in (PUPIL, STAFF):
        query.id = source[14]
        found = bench.handler.try_answer(query.to_wire(), source, bench.now(), bench.via())
        assert found is None
    await asyncio.sleep(0)
    bench.upstream.gate.set()
    rcodes = {m.id: m.rcode() for m in await bench.answers(2)}
    assert rcodes == {11: c.NXDOMAIN, 14: 0}
    assert len(bench.upstream.asked) == 1


@pytest.mark.parametrize(
    ("action", "rcode", "answer"),
    [
        (Action.NXDOMAIN, c.NXDOMAIN, []),
        (Action.NODATA, 0, []),
        (Action.SINKHOLE, 0, ["0.0.0.0"]),
        (Action.PORTAL, 0, ["192.0.2.80"]),
        (Action.REFUSED, c.REFUSED, []),
    ],
)
async def test_a_refusal_is_told_in_the_tiers_way(
    action: Action, rcode: int, answer: list[str]
) -> None:
    where = school({"ads.example": block("ads", action)})
    bench = Bench(where)
    bench.handler.placements.swap(where.running(portal=(bytes([192, 0, 2, 80]),)))
    response = await bench.ask("x.ads.example", use_edns=0)
    assert response.rcode() == rcode
    assert [str(r) for rrset in response.answer for r in rrset] == answer
    assert codes(response)[0] == c.EDE_BLOCKED
    assert (c.EDE_FORGED in codes(response)) == bool(answer)
    if not answer and action is not Action.REFUSED:
        assert response.authority[0].ttl == 30
        assert response.authority[0][0].minimum == 30
    assert not bench.upstream.asked


async def test_other_types_of_a_sinkholed_name_are_empty() -> None:
    bench = Bench(school({"ads.example": block("ads", Action.SINKHOLE)}))
    for rtype in ("HTTPS", "TXT", "TYPE666", "ANY"):
        response = await bench.ask("ads.example", rtype)
        assert (response.rcode(), response.answer) == (0, []), rtype


NOBODY = ["!example. 60 SOA ns.example. h.example. 1 2 3 4 60"]
FLEETING = ["!example. 0 SOA ns.example. h.example. 1 2 3 4 0"]


@pytest.mark.parametrize("gone", [NOBODY, FLEETING], ids=["kept", "not to be kept"])
async def test_an_engine_with_several_safe_names_gets_the_first_that_exists(
    gone: list[str],
) -> None:
    safe = Alias(Name("one.example"), (Name("two.example"), Name("three.example")))
    where = school({"engine.example": Rewritten(Origin(Step.SAFE_SEARCH, "engine"), safe)})
    script = {"one.example A": gone, "two.example A": ["two.example. 60 A 192.0.2.7"]}
    bench = Bench(where, script)
    for _ in range(2):
        response = await bench.ask("engine.example")
        assert [str(record) for rrset in response.answer for record in rrset] == [
            *("two.example.", "192.0.2.7")
        ]
    assert not any(b"three" in asked.name_wire for asked in bench.upstream.asked)


async def test_an_engine_none_of_whose_safe_names_exists_has_no_address() -> None:
    safe = Alias(Name("one.example"), (Name("two.example"),))
    where = school({"engine.example": Rewritten(Origin(Step.SAFE_SEARCH, "engine"), safe)})
    bench = Bench(where, {"one.example A": NOBODY, "two.example A": NOBODY,
                          "engine.example A": ["engine.example. 60 A 192.0.2.66"]})  # fmt: skip
    response = await bench.ask("engine.example")
    assert [r.rdtype for rrset in response.answer for r in rrset] == [5]
    assert len(bench.upstream.asked) == 2


async def test_no_opt_without_opt(bench: Bench) -> None:
    assert (await bench.ask("game.example", use_edns=False)).edns == -1
    with_opt = await bench.ask("game.example", use_edns=0)
    assert with_opt.edns == 0
    assert with_opt.payload == 1232


async def test_an_authoritys_order_is_told_as_censored() -> None:
    bench = Bench(school({"banned.example": block("authority", ede=16)}))
    assert codes(await bench.ask("banned.example", use_edns=0)) == [16]


async def test_safe_search_answers_with_the_real_address_of_its_target(bench: Bench) -> None:
    response = await bench.ask("www.search.example", use_edns=0)
    assert [r.to_text() for r in response.answer] == [
        "www.search.example. 300 IN CNAME safe.search.example.",
        "safe.search.example. 300 IN A 192.0.2.77",
    ]
    assert codes(response) == [c.EDE_FORGED]
    for rtype in ("HTTPS", "SVCB", "TXT"):
        other = await bench.ask("www.search.example", rtype)
        assert (other.rcode(), other.answer) == (0, [])
        assert other.authority


async def test_local_names_are_answered_from_here(bench: Bench) -> None:
    assert str((await bench.ask("printer.school.lan")).answer[0][0]) == "192.0.2.9"
    assert (await bench.ask("gone.school.lan")).rcode() == c.NXDOMAIN
    assert not bench.upstream.asked


async def test_private_addresses_leave_public_answers(bench: Bench) -> None:
    response = await bench.ask("rebind.example.com", use_edns=0)
    assert [str(r) for r in response.answer[0]] == ["192.0.2.3"]
    assert codes(response) == [c.EDE_BLOCKED]


async def test_nothing_but_private_addresses_is_no_answer_at_all() -> None:
    bench = Bench(school(), {"r.example A": ["r.example. 300 A 127.0.0.1"]})
    for _ in range(2):
        response = await bench.ask("r.example", use_edns=0)
        assert (response.rcode(), response.answer) == (0, [])
        assert codes(response) == [c.EDE_BLOCKED]


async def test_an_address_on_a_list_refuses_the_answer() -> None:
    where = school()
    where.tiers["primary"].addresses[bytes([192, 0, 2, 1])] = block("malware")
    bench = Bench(where, SCRIPT)
    assert (await bench.ask("www.example.com")).rcode() == c.NXDOMAIN
    assert (await bench.ask("www.example.com", source=STAFF)).rcode() == 0


async def test_negative_answers_are_cached_for_the_soas_minimum(bench: Bench) -> None:
    for _ in range(2):
        response = await bench.ask("none.example.com")
        assert response.rcode() == c.NXDOMAIN
    assert len(bench.upstream.asked) == 1
    bench.skew = 61
    await bench.ask("none.example.com")
    assert len(bench.upstream.asked) == 2


async def test_failures_are_told_with_a_reason_and_remembered() -> None:
    bench = Bench(school(), {"dead.example A": DOWN})
    for _ in range(3):
        response = await bench.ask("dead.example", use_edns=0)
        assert response.rcode() == c.SERVFAIL
        assert 22 in codes(response)
    assert len(bench.upstream.asked) == 1


async def test_strangers_are_refused_and_nothing_is_asked(bench: Bench) -> None:
    response = await bench.ask("www.example.com", source=STRANGER, use_edns=0)
    assert response.rcode() == c.REFUSED
    assert codes(response) == [c.EDE_PROHIBITED]
    assert not bench.upstream.asked


async def test_without_a_policy_nobody_gets_an_answer() -> None:
    bench = Bench(school(), SCRIPT)
    bench.handler.placements._running = None
    response = await bench.ask("www.example.com", use_edns=0)
    assert response.rcode() == c.SERVFAIL
    assert codes(response) == [c.EDE_NOT_READY]


async def test_a_broken_rule_is_a_servfail_never_an_answer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr(Rules, "verdict", broken)
    response = await bench.ask("www.example.com", use_edns=0)
    assert response.rcode() == c.SERVFAIL
    assert not bench.upstream.asked


async def test_any_is_minimal_and_transfers_are_refused(bench: Bench) -> None:
    found = await bench.ask("www.example.com", "ANY")
    assert found.answer[0].to_text() == 'www.example.com. 3600 IN HINFO "RFC8482" ""'
    assert (await bench.ask("example.com", "AXFR")).rcode() == c.REFUSED
    version = dns.message.make_query("version.bind", "TXT", "CH")
    assert dns.message.from_wire(await bench.wire(version.to_wire())).rcode() == c.REFUSED
    assert not bench.upstream.asked


async def test_an_unknown_edns_version_is_badvers_version_0(bench: Bench) -> None:
    response = await bench.ask("www.example.com", use_edns=1)
    assert response.rcode() == c.BADVERS
    assert response.edns == 0
    assert not response.authority


async def test_cname_circles_end_in_servfail() -> None:
    circle = ["a.example. 60 CNAME b.example.", "b.example. 60 CNAME a.example."]
    bench = Bench(school(), {"a.example A": circle})
    assert (await bench.ask("a.example")).rcode() == c.SERVFAIL
