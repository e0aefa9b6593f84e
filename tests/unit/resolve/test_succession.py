"""Responses that are carried over a swap: only those that would be built again just so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.listen import drain
from filterd.listen.memo_python import PythonMemo
from filterd.metrics import layout
from filterd.policy.model import Action
from filterd.policy.verdict import Verdict
from filterd.resolve.succession import prepare
from tests.lab import school as lab
from tests.lab.school import PUPIL, STAFF, Bench, Rules, School, alias, block, local

ANSWERS = {
    "plain.example A": ["plain.example. 300 A 192.0.2.1"],
    "other.example A": ["other.example. 40 A 192.0.2.2"],
    "listed.example A": ["listed.example. 300 A 192.0.2.66"],
    "inside.example A": ["inside.example. 300 A 10.0.0.1", "inside.example. 300 A 192.0.2.3"],
    "cdn.example A": ["cdn.example. 300 CNAME edge.cdn.net.", "edge.cdn.net. 200 A 192.0.2.4"],
    "gone.example A": ["!example. 300 SOA ns.example. h.example. 1 2 3 4 60"],
    "safe.example A": ["safe.example. 300 A 192.0.2.5"],
}
NAMES = sorted(line.split()[0] for line in ANSWERS)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ENDS = (None, NOON + timedelta(seconds=20), NOON + timedelta(hours=2))
SHORT = block()._replace(ttl=5)
VERDICTS: tuple[Verdict | None, ...] = (
    None, None, block("games"), block("ads"), block("games", Action.PORTAL), SHORT,
    block("games", ede=16), block()._replace(shared=False), alias("safe.example"),
    alias("other.example"), local(3), local(0, ("plain.example", "A", 4000, "192.0.2.9")),
)  # fmt: skip


@pytest.fixture(params=["python", "native"])
def memo(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    use_memo(request.param, monkeypatch.setattr)


def use_memo(kind: str, put: Callable[[object, str, object], None]) -> None:
    if kind == "python":
        put(lab, "open_memo", PythonMemo)
    elif not drain.COMPILED:
        pytest.skip("built without a C compiler")


@dataclass(frozen=True)
class Document:
    """What the pupils' tier says, and when it ends; staff are allowed everything."""

    names: dict[str, Verdict]
    listed: bool = False
    until: datetime | None = None
    portal: bool = False

    def school(self, key: int = 1) -> School:
        addresses = {bytes((192, 0, 2, 66)): block("malware")} if self.listed else {}
        return School(Rules(self.names, key, self.until, addresses), Rules({}, 7))

    def portals(self) -> tuple[bytes, ...]:
        return (bytes((192, 0, 2, 80)),) if self.portal else ()


def queries() -> list[bytes]:
    return [
        dns.message.make_query(name, "A", use_edns=edns, want_dnssec=edns == 0, id=7).to_wire()
        for name in NAMES
        for edns in (-1, 0)
    ]


async def warm(bench: Bench, sources: tuple[bytes, ...] = (PUPIL,)) -> None:
    """Everything asked until the memo has it."""
    for query in queries() * 2:
        for source in sources:
            if bench.memo.repeat(query, source, 0) is None:
                await bench.wire(query, source)


async def swap(bench: Bench, after: Document) -> None:
    running = after.school(2).running(after.portals())
    placements = bench.handler.placements
    placements.swap(running, await prepare(placements, bench.memo, bench.cache, running))


def counts(bench: Bench) -> list[int]:
    """By tier and outcome, by tier and category, by rcode."""
    values = bench.counters.values
    return [*values[layout.QUERIES_AT : layout.DURATION_AT],
            *values[layout.RCODES_AT : layout.UPSTREAM_AT]]  # fmt: skip


async def told(bench: Bench, query: bytes, fresh: bool) -> tuple[object, ...] | None:
    """What a pupil is told and how it is counted: out of the memo, or judged anew. TTLs apart."""
    before = counts(bench)
    bench.handler.placements.find(PUPIL, None, bench.now())
    if fresh:
        bench.memo.flush()
        octets = await bench.wire(query)
    elif (found := bench.memo.repeat(query, PUPIL, 0)) is None:
        return None
    else:
        octets = found
    counted = [at for at, new in enumerate(counts(bench)) if new != before[at]]
    answer = dns.message.from_wire(octets)
    sections = [
        sorted((str(r.name), r.rdtype, sorted(map(str, r))) for r in section)
        for section in (answer.answer, answer.authority)
    ]
    return answer.rcode(), answer.flags, sections, [str(o) for o in answer.options], counted


async def answered(bench: Bench, query: bytes) -> dns.message.Message:
    """What a pupil is told, out of the memo if it is there."""
    bench.handler.placements.find(PUPIL, None, bench.now())
    found = bench.memo.repeat(query, PUPIL, 0)
    return dns.message.from_wire(found if found is not None else await bench.wire(query))


VERDICT = st.one_of(st.none(), st.sampled_from(VERDICTS))
DOCUMENTS = st.builds(
    lambda chosen, listed, until, portal: Document(
        {name: v for name, v in chosen.items() if v is not None}, listed, until, portal
    ),
    st.fixed_dictionaries(dict.fromkeys((*NAMES, "edge.cdn.net"), VERDICT)),
    st.booleans(),
    st.sampled_from(ENDS),
    st.booleans(),
)


@pytest.mark.parametrize("kind", ["python", "native"])
@given(before=DOCUMENTS, after=DOCUMENTS, changed=st.integers(0, 3))
@settings(max_examples=50, deadline=None)
def test_what_is_carried_is_what_is_judged_anew(
    kind: str, before: Document, after: Document, changed: int
) -> None:
    # most changes are small: a few names of the old document differ
    if changed:
        names = dict(before.names)
        for name in [*NAMES, "edge.cdn.net"][:: 4 - changed]:
            names.pop(name, None)
            if name in after.names:
                names[name] = after.names[name]
        after = replace(after, names=names)

    async def scene() -> None:
        with pytest.MonkeyPatch.context() as patch:
            use_memo(kind, patch.setattr)
            bench = Bench(before.school(), ANSWERS)
        bench.at = NOON
        bench.handler.placements.swap(before.school().running(before.portals()))
        await warm(bench)
        await swap(bench, after)
        carried = {query: await told(bench, query, False) for query in queries()}
        for query, kept in carried.items():
            if kept is not None:
                assert kept == await told(bench, query, True)

    asyncio.run(scene())


async def test_a_change_elsewhere_leaves_everything_in_the_memo(memo: None) -> None:
    names: dict[str, Verdict] = {"plain.example": block(), "gone.example": alias("safe.example")}
    bench = Bench(Document(names).school(), ANSWERS)
    await warm(bench)
    exchanges = len(bench.upstream.asked)
    await swap(bench, Document({**names, "elsewhere.example": block()}))
    for query in queries():
        assert await told(bench, query, False) is not None, query
    assert len(bench.upstream.asked) == exchanges


async def test_only_the_name_that_changed_is_judged_anew(memo: None) -> None:
    bench = Bench(Document({}).school(), ANSWERS)
    await warm(bench)
    await swap(bench, Document({"plain.example": block()}))
    kept = [q for q in queries() if await told(bench, q, False) is not None]
    assert [b"\5plain" in q for q in kept] == [False] * (len(queries()) - 2)
    refused = [q for q in queries() if (await answered(bench, q)).rcode() == 3]
    assert [b"\5plain" in q or b"\4gone" in q for q in refused] == [True] * 4


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("cdn.example", Document({"edge.cdn.net": block()})),
        ("listed.example", Document({}, listed=True)),
    ],
    ids=["a name behind it is listed now", "an address of it is listed now"],
)
async def test_where_an_answer_leads_is_looked_at_too(
    memo: None, name: str, after: Document
) -> None:
    bench = Bench(Document({}).school(), ANSWERS)
    await warm(bench)
    await swap(bench, after)
    asked = [query for query in queries() if name.partition(".")[0].encode() in query]
    assert [(await answered(bench, query)).rcode() for query in asked] == [3, 3]


async def test_each_tier_keeps_its_own(memo: None) -> None:
    bench = Bench(Document({"plain.example": block()}).school(), ANSWERS)
    await warm(bench, (PUPIL, STAFF))
    await swap(bench, Document({"plain.example": block(), "other.example": block()}))
    for query in queries():
        bench.handler.placements.find(STAFF, None, bench.now())
        found = bench.memo.repeat(query, STAFF, 0)
        assert found is not None
        assert dns.message.from_wire(found).rcode() == (3 if b"\4gone" in query else 0)


async def test_no_ttl_outlives_rules_that_end_sooner_than_those_before(memo: None) -> None:
    bench = Bench(Document({}).school(), ANSWERS)
    bench.at = NOON
    await warm(bench)
    await swap(bench, Document({}, until=NOON + timedelta(seconds=20)))
    for query in queries():
        answer = await answered(bench, query)
        assert max((rrset.ttl for rrset in answer.answer), default=0) <= 20


async def test_an_answer_that_was_replaced_does_not_come_back(memo: None) -> None:
    """The memo repeats an answer longer than the cache holds it when another has come."""
    bench = Bench(Document({}).school(), ANSWERS)
    await warm(bench)
    key = b"\5plain\7example\0\0\1\0\1"
    held = bench.cache.look(key)
    assert held is not None
    bench.cache.put(held[0]._replace(born=bench.now() + 0.01))
    await swap(bench, Document({}))
    kept = [q for q in queries() if await told(bench, q, False) is None]
    assert [b"\5plain" in q for q in kept] == [True, True]


async def test_what_was_counted_before_a_swap_is_not_lost(memo: None) -> None:
    bench = Bench(Document({"plain.example": block()}).school(), ANSWERS)
    await warm(bench)
    for _ in range(5):
        await told(bench, queries()[0], False)
    was = dict.fromkeys(NAMES, 0)
    await swap(bench, Document({"plain.example": block("ads")}))
    bench.handler.placements.collect()
    was |= {name: uses for name, uses, _ in bench.seen.take(bytes(16)).names}
    assert was[NAMES[0]] == 4 + 5
    assert bench.memo.weight[0] < len(queries()), "what changed is gone"


async def test_old_verdicts_are_forgotten_a_few_at_a_time(memo: None) -> None:
    bench = Bench(Document({}).school(), ANSWERS)
    await warm(bench)
    for number in range(2000):
        bench.handler.placements.find(PUPIL, None, bench.now()).rules.verdict(  # type: ignore[union-attr]
            f"{number:04}".encode().join((b"\4", b"\0\0\1\0\1")),
            None,  # type: ignore[arg-type]
        )
    await swap(bench, Document({}))
    steps = 0
    while bench.handler.placements.step():
        steps += 1
    assert steps >= 4
