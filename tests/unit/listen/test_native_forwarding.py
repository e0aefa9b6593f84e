"""Forwarding without Python answers as the handler does, and believes no more than it does."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator

import dns.edns
import dns.flags
import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.errors import WireError
from filterd.listen import drain
from filterd.resolve.answers import Clamp, normalise, recalled, recalled_negative
from filterd.resolve.forward_ports import AD, NEGATIVE, NXDOMAIN
from filterd.upstream.scan import inspect
from filterd.upstream.settings import Strategy
from filterd.wire.records import Body, parse_reply
from tests.lab.forwarding import Box
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.quick_upstream import quick_upstream
from tests.lab.school import block, pupils_without

pytestmark = pytest.mark.skipif(not drain.COMPILED, reason="nothing was compiled here")
if drain.COMPILED:
    from filterd.listen import _native

LABELS = (
    *("good", "wrongid", "empty", "short", "wrongname", "wrongtype", "noquestion", "notreply"),
    *("opcode", "loop", "headeronly", "rdlen", "extra", "manyids50", "slow100", "slow800", "dead"),
    *("refused", "servfail", "notimp", "bogus", "nxdomain", "nodata", "ttl0", "ttl7", "alias"),
    *("tc", "big10", "big30", "big100", "cnameloop", "ring", "chain20"),
    *("nocookie", "wrongcookie", "badcookie", "rebind0", "rebind1", "rebind3", "game"),
)


@pytest.fixture(scope="module")
def upstream() -> Iterator[LyingUpstream]:
    with LyingUpstream() as running:
        yield running


def said(message: dns.message.Message) -> tuple[object, ...]:
    """What an answer says, TTLs included, without its id."""
    codes = sorted(int(o.code) for o in message.options if isinstance(o, dns.edns.EDEOption))
    sections = (message.answer, message.authority, message.additional)
    records = [sorted(rr for rrset in s for rr in rrset.to_text().split("\n")) for s in sections]
    return message.rcode(), dns.flags.to_text(message.flags), codes, records


@pytest.mark.parametrize("do", [None, True], ids=["plain", "do"])
async def test_every_upstream_is_answered_alike_with_and_without_it(do: bool | None) -> None:
    """Patience ends in wall-clock time on both ways, so a processor that others keep busy may make
    one late: what differs every time is a difference."""
    for _ in range(4):
        native, python = await _asked_on_both_ways(do)
        if native == python:
            return
    assert native == python


async def _asked_on_both_ways(do: bool | None) -> list[tuple[object, ...]]:
    """Everything said and counted, natively and by Python, with an upstream of its own."""
    blocked = {"game.lies.example": block()}
    with LyingUpstream() as upstream:
        async with (
            Box(pupils_without(blocked), (upstream.url,), True) as native,
            Box(pupils_without(blocked), (upstream.url,), False) as python,
        ):
            boxes = (native, python)
            answers: tuple[list[object], ...] = ([], [])
            for rtype in ("A", "AAAA"):
                asked = [(f"{label}.lies.example", rtype) for label in LABELS]
                found = await asyncio.gather(*(b.ask(*each, do) for each in asked for b in boxes))
                for at, each in enumerate(found):
                    answers[at % 2].append((asked[at // 2], said(each)))
            return [
                (kept, box.outcomes(), box.single("cache_misses"))
                for kept, box in zip(answers, boxes, strict=True)
            ]


@pytest.mark.parametrize("do", [None, True], ids=["plain", "do"])
async def test_that_there_is_none_is_told_alike_new_kept_and_cut(
    upstream: LyingUpstream, do: bool | None
) -> None:
    """Three times each: from the upstream, from what is kept, from the memo; a referral with 34
    servers does not fit into 512 octets and is not kept."""
    with quick_upstream() as quick:
        async with (
            Box(pupils_without({}), (quick.url,), True) as native,
            Box(pupils_without({}), (quick.url,), False) as python,
        ):
            for name, rtype in (("referral1.example", "A"), ("plain.example", "AAAA")):
                for _ in range(3):
                    answers = [await box.ask(name, rtype, do) for box in (native, python)]
                    assert said(answers[0]) == said(answers[1])
            for counted in ("truncated", "cache_misses", "cache_hits"):
                assert native.single(counted) == python.single(counted), counted
            assert native.outcomes() == python.outcomes()
    async with (
        Box(pupils_without({}), (upstream.url,), True) as native,
        Box(pupils_without({}), (upstream.url,), False) as python,
    ):
        for name in ("nxdomain.none.example", "nodata.none.example"):
            for _ in range(3):
                answers = await asyncio.gather(native.ask(name, "A", do), python.ask(name, "A", do))
                assert without_ttls(answers[0]) == without_ttls(answers[1])
        kept = [box.single("cache_hits") for box in (native, python)]
        assert kept == [4, 4], "the first of each was new, the others were not"
        assert native.outcomes() == python.outcomes()


def without_ttls(message: dns.message.Message) -> tuple[object, ...]:
    """What it says; TTLs may differ by the second that passed."""
    rcode, flags, codes, _ = said(message)
    return (
        rcode,
        flags,
        codes,
        [
            sorted(f"{rrset.name} {rr}" for rrset in section for rr in rrset)
            for section in (message.answer, message.authority)
        ],
    )


async def test_fifty_who_ask_the_same_are_one_question(upstream: LyingUpstream) -> None:
    async with Box(pupils_without({}), (upstream.url,), True) as box:
        before = len(upstream.log)
        answers = await asyncio.gather(*(box.ask("slow100.fifty.example") for _ in range(50)))
        assert {answer.answer[0][0].to_text() for answer in answers} == {"192.0.2.1"}
        assert len(upstream.log) <= before + 3, "once, and again only when that took too long"
        assert (box.single("inflight_joined"), box.single("cache_misses")) == (49, 51)


async def test_who_asks_in_another_way_waits_for_the_same_question(
    upstream: LyingUpstream,
) -> None:
    async with Box(pupils_without({}), (upstream.url,), True) as box:
        before = len(upstream.log)
        ways = [{"do": None}, {"source": "127.0.11.77"}, {"do": True}, {"source": "127.0.14.1"}]
        asked = [box.ask("hold.ways.example", **way) for way in ways]  # type: ignore[arg-type]
        waiting = asyncio.gather(*asked)
        async with asyncio.timeout(5):
            while box.single("cache_misses") < 3:  # strangers are the handler's, and wait with us
                await asyncio.sleep(0.01)
        upstream.release()
        answers = await waiting
        assert {answer.answer[0][0].to_text() for answer in answers} == {"192.0.2.1"}
        assert len(upstream.log) <= before + 3


async def test_who_asks_again_is_answered_from_what_is_kept(upstream: LyingUpstream) -> None:
    async with Box(pupils_without({"kept.example": block()}), (upstream.url,), True) as box:
        await box.ask("a.other.example")
        before = len(upstream.log)
        for number in range(4):
            staff = await box.ask("a.other.example", do=number % 2 > 0, source="127.0.14.1")
            assert staff.answer[0][0].to_text() == "192.0.2.1"
        refused = await box.ask("a.kept.example")
        assert refused.rcode() == 3, "what another tier may have is refused to this one"
        assert len(upstream.log) == before
        box.handler.placements.collect()
        uses = {name: n for name, n, _ in box.seen.take(bytes(16)).names}
        assert uses["a.other.example"] == 5


async def test_a_name_that_was_allowed_is_refused_at_once_under_new_rules(
    upstream: LyingUpstream,
) -> None:
    async with Box(pupils_without({}), (upstream.url,), True) as box:
        for _ in range(3):
            assert (await box.ask("new.rules.example")).rcode() == 0
        box.handler.placements.swap(pupils_without({"rules.example": block()}).running())
        assert (await box.ask("new.rules.example")).rcode() == 3


async def test_a_listed_address_is_the_handlers_to_judge(upstream: LyingUpstream) -> None:
    listed = pupils_without({})
    listed.tiers["primary"].addresses[bytes((192, 0, 2, 1))] = block("malware")
    async with Box(listed, (upstream.url,), True) as box:
        box.forwarding.watch(lambda packed: packed == bytes((192, 0, 2, 1)), None)
        for _ in range(3):
            assert (await box.ask("b.listed.example")).rcode() == 3
        assert (await box.ask("b.listed.example", "AAAA")).answer


async def test_each_address_that_is_told_can_be_noted(upstream: LyingUpstream) -> None:
    noted: list[tuple[tuple[bytes, ...], int]] = []
    async with Box(pupils_without({}), (upstream.url,), True) as box:
        box.forwarding.watch(None, lambda addresses, ttl: noted.append((addresses, ttl)))
        await box.ask("big3.noted.example")
    assert [ttl for _, ttl in noted] == [300, 300, 300]


async def test_names_that_were_kept_are_judged_by_new_address_lists(
    upstream: LyingUpstream,
) -> None:
    async with Box(pupils_without({}), (upstream.url,), True) as box:
        assert box.forwarding.forward is not None
        assert (await box.ask("c.listed.example")).rcode() == 0
        after = pupils_without({})
        after.tiers["primary"].addresses[bytes((192, 0, 2, 1))] = block("malware")
        box.forwarding.watch(lambda packed: packed == bytes((192, 0, 2, 1)), None)
        box.handler.placements.swap(after.running())
        assert (await box.ask("c.listed.example")).rcode() == 3


async def test_ports_ids_and_letter_case_are_drawn_anew(upstream: LyingUpstream) -> None:
    async with Box(pupils_without({}), (upstream.url,), True) as box:
        before = len(upstream.log)
        await asyncio.gather(*(box.ask(f"e{n}.entropy.example") for n in range(60)))
        for number in range(20):
            await box.ask(f"f{number}.entropy.example")
        seen = upstream.log[before:]
    # a busy machine may ask one of them twice
    assert len(seen) >= 80
    assert len({one.port for one in seen}) == len(seen), "at a school's rate each has its port"
    assert len({one.ident for one in seen}) > 75
    assert len({one.qname.partition(".")[2] for one in seen}) > 40, "each its own case"
    assert all(one.do and one.edns_size == 1232 and 10 in one.options for one in seen)


async def test_in_a_flood_ports_are_shared_but_do_not_last(upstream: LyingUpstream) -> None:
    async with Box(pupils_without({}), (upstream.url,), True) as box:
        before = len(upstream.log)
        for start in range(0, 1000, 100):
            batch = (box.ask(f"g{start + n}.flood.example") for n in range(100))
            await asyncio.gather(*batch)
        seen = upstream.log[before:]
    assert len(seen) >= 1000
    uses: dict[int, list[float]] = {}
    for one in seen:
        uses.setdefault(one.port, []).append(one.at)
    assert max(map(len, uses.values())) <= 64
    assert len(uses) > 256


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_two_upstreams_one_of_them_silent(
    upstream: LyingUpstream, strategy: Strategy
) -> None:
    with LyingUpstream() as other:
        other.replies = {"twice": lambda record, transport: []}
        async with Box(pupils_without({}), (other.url, upstream.url), True, strategy) as box:
            answers = await asyncio.gather(*(box.ask(f"twice.n{n}.example") for n in range(20)))
    assert all(answer.answer for answer in answers)


async def test_questions_at_an_upstream_that_refuses_connections_are_answered(
    upstream: LyingUpstream,
) -> None:
    with LyingUpstream() as gone:
        url = gone.url
    async with Box(pupils_without({}), (url, upstream.url), True, Strategy.SEQUENTIAL) as box:
        answers = await asyncio.gather(*(box.ask(f"h{n}.gone.example") for n in range(20)))
    assert all(answer.answer for answer in answers)


# --- reading a reply ------------------------------------------------------------------------

NAME = b"\3www\7example\3com\0"
ADDRESS = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))


@st.composite
def replies(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """(query, a reply that is nearly always readable)."""
    v6 = draw(st.booleans())
    question = NAME + (b"\0\x1c\0\1" if v6 else b"\0\1\0\1")
    query = b"\x12\x34\1\x20\0\1\0\0\0\0\0\1" + question + b"\0\0\x29\4\xd0\0\0\x80\0\0\0"
    width = 16 if v6 else 4
    addresses = draw(st.lists(st.binary(min_size=width, max_size=width), max_size=18))
    ttl = draw(st.sampled_from([0, 1, 300, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]))
    records = b"".join(
        b"\xc0\x0c" + question[-4:] + struct.pack("!IH", ttl + n & 0xFFFFFFFF, width) + address
        for n, address in enumerate(addresses)
    )
    options = draw(st.sampled_from([None, b"", b"\0\x0a\0\x10" + bytes(16), b"\0\x0f\0\2\0\3"]))
    opt = b"" if options is None else b"\0\0\x29\4\xd0\0\0\0\0" + struct.pack("!H", len(options))
    flags = draw(st.sampled_from([b"\x81\x80", b"\x81\xa0", b"\x83\x80", b"\x81\x83"]))
    counts = struct.pack("!4H", 1, len(addresses), 0, 0 if options is None else 1)
    return query, b"\x12\x34" + flags + counts + question + records + opt + (options or b"")


SUFFIX = st.sampled_from(
    [b"\0", b"\xc0\x0c", b"\xc0\x10", b"\xc0\x18", b"\7example\0", b"\xc0\x0d", b"\xc0\x2d"]
)
"""How names end: at the root, at a label of the question, or where nothing may point to."""


@st.composite
def none_there(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """(query, a reply without an answer): an SOA, servers, or nothing; often as it should be."""
    query, reply = draw(replies())
    question = query[12 : 16 + len(NAME)]
    name = st.builds(bytes.__add__, st.sampled_from([b"", b"\2ns", b"\1a\1b"]), SUFFIX)
    owner, ttl = draw(name), draw(st.sampled_from([0, 60, 3600, 7200, 0x80000000]))
    soa = draw(st.booleans())
    records = []
    for _ in range(draw(st.integers(0, 1 if soa else 40))):
        data = draw(name)
        if soa:
            data += draw(name) + struct.pack("!5I", 1, 2, 3, 4, draw(st.integers(0, 9000)))
        records.append(owner + struct.pack("!HHIH", 6 if soa else 2, 1, ttl, len(data)) + data)
    opt = draw(st.sampled_from([b"", b"\0\0\x29\4\xd0\0\0\0\0\0\0"]))
    flags = draw(st.sampled_from([b"\x81\x80", b"\x81\xa0", b"\x81\x83", b"\x81\x82"]))
    counts = struct.pack("!4H", 1, 0, len(records), bool(opt))
    return query, reply[:2] + flags + counts + question + b"".join(records) + opt


def agree(query: bytes, reply: bytes) -> int:
    """Whatever is taken as plain reads the same the other way; the kind it was taken as."""
    kind, records, ttl, marks, cookie = _native.read_reply(query, len(NAME) + 4, reply)
    if kind != 2:
        return kind
    facts = inspect(reply)
    assert facts is not None and not facts.truncated
    assert facts.rcode == (3 if marks & NXDOMAIN else 0)
    assert (facts.cookie or b"") == cookie and facts.ede is None
    key = query[12 : 12 + len(NAME) + 4]
    found = normalise(parse_reply(reply[: facts.end]), key, 1.0, Clamp(0, 0x7FFFFFFF))
    if marks & NEGATIVE:
        assert found.lifetime == ttl
        head = struct.pack("!6H", 0, 0x8180, 1, 0, len(facts.message.authority), 0)
        assert parse_reply(head + reply[12 : 16 + len(NAME)] + records).authority == (
            facts.message.authority
        )
        if ttl:
            same = recalled_negative(key, facts.rcode, records, (1.0, ttl), bool(marks & AD))
            bare = found.plain._replace(octets=no_ttls(found.plain))
            assert same.plain._replace(octets=no_ttls(same.plain)) == bare
            assert same._replace(plain=found.plain, secure=found.secure) == found
    else:
        assert found == recalled(key, records, ttl, 1.0, bool(marks & AD))
    return kind


def no_ttls(body: Body) -> bytes:
    """TTLs are bounded where the answer is taken, not where it is read."""
    octets = bytearray(body.octets)
    for at in body.ttls:
        octets[at : at + 4] = bytes(4)
    return bytes(octets)


@settings(max_examples=300, deadline=None)
@given(replies())
def test_what_is_read_natively_is_read_alike(made: tuple[bytes, bytes]) -> None:
    agree(*made)


@settings(max_examples=300, deadline=None)
@given(none_there())
def test_that_there_is_none_is_read_alike(made: tuple[bytes, bytes]) -> None:
    agree(*made)


def test_the_usual_forms_of_none_are_taken() -> None:
    query = b"\x12\x34\1\x20\0\1\0\0\0\0\0\0" + NAME + b"\0\1\0\1"
    soa = b"\2ns\xc0\x10" + b"\4host\xc0\x10" + struct.pack("!5I", 1, 2, 3, 4, 60)
    forms = {
        "soa": [b"\xc0\x10\0\6\0\1" + struct.pack("!IH", 300, len(soa)) + soa],
        "servers": [b"\xc0\x0c\0\2\0\1\0\0\0\x3c\0\5\2a" + bytes([n]) + b"\xc0\x10"
                    for n in range(34)],
        "nothing": [],
    }  # fmt: skip
    for rcode in (0, 3):
        for title, records in forms.items():
            head = struct.pack("!2s5H", b"\x12\x34", 0x8180 | rcode, 1, 0, len(records), 0)
            assert agree(query, head + query[12:] + b"".join(records)) == 2, title


@settings(max_examples=400, deadline=None)
@given(st.one_of(replies(), none_there()), st.data())
def test_broken_replies_are_never_taken_for_whole(
    made: tuple[bytes, bytes], data: st.DataObject
) -> None:
    query, reply = made
    octets = bytearray(reply)
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(2, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(octets)))
    for broken in (bytes(octets), bytes(octets[:cut])):
        try:
            agree(query, broken)
        except WireError as error:
            pytest.fail(f"taken natively, refused by the specification: {error}")


@given(ADDRESS)
def test_addresses_of_inner_networks_are_the_handlers(address: bytes) -> None:
    from filterd.policy.addresses import internal

    rtype = b"\0\1\0\1" if len(address) == 4 else b"\0\x1c\0\1"
    query = b"\x12\x34\1\x20\0\1\0\0\0\0\0\0" + NAME + rtype
    record = b"\xc0\x0c" + rtype + struct.pack("!IH", 300, len(address)) + address
    reply = b"\x12\x34\x81\x80\0\1\0\1\0\0\0\0" + NAME + rtype + record
    assert agree(query, reply) == (1 if internal(address) else 2)
