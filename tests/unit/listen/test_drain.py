"""The memo and the drain loop, once in Python (the specification) and once in C."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.listen import drain
from filterd.listen.drain_form import plain_form
from filterd.listen.drain_python import PythonDrain
from filterd.listen.memo_python import PythonMemo
from filterd.metrics.seen import PythonNames
from tests.lab.malformed import messages

SOURCE = b"\0" * 10 + b"\xff\xff\x7f\0\0\1"
NAME = b"\3www\7example\3com\0"
QUESTION = NAME + b"\0\1\0\1"
PLAIN_OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"


def header(identity: int, flags: int = 0x0100, arcount: int = 0) -> bytes:
    return struct.pack("!6H", identity, flags, 1, 0, 0, arcount)


def reply_to(question: bytes, ttl: int = 300) -> bytes:
    head = struct.pack("!6H", 0, 0x8180, 1, 1, 0, 0)
    return head + question + b"\xc0\x0c\0\1\0\1" + struct.pack("!IH4B", ttl, 4, 192, 0, 2, 1)


@dataclass
class Bench:
    """One memo with a drain loop on a real socket, and a client."""

    memo: Any
    loop: Any
    client: socket.socket
    counters: bytearray

    def put(self, until: float = 60, stored: float = 0, rules: int = 1, variant: int = 0) -> bool:
        now = time.monotonic_ns() // 1_000_000
        offset = 12 + len(QUESTION) + 6
        return bool(
            self.memo.put(
                rules, variant, QUESTION, reply_to(QUESTION), (offset,), (2, 3),
                now + int(stored * 1000), now + int(until * 1000), 4,
            )
        )  # fmt: skip

    def ask(self, query: bytes) -> tuple[bytes | None, list[Any]]:
        """(the reply if the memo gave one, what was left to the handler)."""
        self.client.send(query)
        left: list[Any] = []
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            left += self.loop.run(1)
            if left:
                return None, left
            try:
                return self.client.recv(4096), left
            except BlockingIOError:
                continue
        raise AssertionError("neither answered nor handed on")


def native() -> tuple[Callable[..., Any], Callable[..., Any]]:
    module = pytest.importorskip("filterd.listen._native", reason="built without a C compiler")
    return module.Memo, module.Drain


@pytest.fixture(params=["python", "native"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = (PythonMemo, PythonDrain) if request.param == "python" else native()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        client.connect(server.getsockname())
        client.setblocking(False)
        counters = bytearray(64)
        memo = made[0](memoryview(counters), 1 << 16)
        loop = made[1](server.fileno(), memo)
        memo.place(SOURCE, 1, 5, 0.0, 0.0)
        yield Bench(memo, loop, client, counters)
        del loop


def test_a_known_question_is_answered_with_the_clients_id_and_case(bench: Bench) -> None:
    bench.put()
    asked = header(0xBEEF) + b"\3wWw\7eXample\3COM\0\0\1\0\1"
    answer, _ = bench.ask(asked)
    assert answer is not None
    assert answer[:2] == b"\xbe\xef"
    assert answer[12 : 12 + len(QUESTION)] == asked[12:]
    assert answer[-4:] == bytes([192, 0, 2, 1])


def test_ttls_run_down_and_never_below_zero(bench: Bench) -> None:
    bench.put(stored=-100)
    answer, _ = bench.ask(header(1) + QUESTION)
    assert answer is not None
    assert struct.unpack_from("!I", answer, 12 + len(QUESTION) + 6)[0] == 200
    bench.put(stored=-1000)
    answer, _ = bench.ask(header(1) + QUESTION)
    assert answer is not None
    assert struct.unpack_from("!I", answer, 12 + len(QUESTION) + 6)[0] == 0


def test_each_use_is_counted_once_and_harvested_once(bench: Bench) -> None:
    bench.put()
    for identity in range(3):
        assert bench.ask(header(identity) + QUESTION)[0]
    counters = memoryview(bench.counters).cast("Q")
    assert list(counters) == [0, 0, 3, 3, 0, 0, 0, 0]
    assert bench.memo.harvest() == [(1, QUESTION, 3, 1 << 5)]
    assert bench.memo.harvest_sources() == [(SOURCE, 1, 4, 3)]
    assert bench.memo.harvest() == []
    assert bench.memo.harvest_sources() == []


@pytest.mark.parametrize(
    "query",
    [
        header(1) + NAME + b"\0\x1c\0\1",
        header(1, 0x0000) + QUESTION,
        header(1, 0x2100) + QUESTION,
        header(1, 0x8180) + QUESTION,
        header(1, arcount=1) + QUESTION + PLAIN_OPT,
        header(1, arcount=1) + QUESTION + b"\0\0\x29\x04\xd0\0\1\0\0\0\0",
        header(1, arcount=1) + QUESTION + b"\0\0\x29\x04\xd0\0\0\0\0\0\4\0\3\0\0",
        header(1) + QUESTION + b"x",
        header(1, arcount=1) + QUESTION,
        header(1)[:4] + b"\0\2" + header(1)[6:] + QUESTION,
        header(1) + QUESTION[:-1],
        b"",
        b"\0",
    ],
    ids=[
        "other type", "no RD", "other opcode", "a response", "OPT: another variant", "EDNS 1",
        "an option", "trailing octet", "ARCOUNT lies", "two questions", "cut", "empty", "one octet",
    ],
)  # fmt: skip
def test_anything_but_the_plain_known_question_is_the_handlers(bench: Bench, query: bytes) -> None:
    bench.put()
    answer, left = bench.ask(query)
    assert answer is None
    assert left[0][:2] == (query, SOURCE)
    assert bench.loop.send(left[0][2], b"the answer")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            assert bench.client.recv(100) == b"the answer"
            break
        except BlockingIOError:
            continue


def test_an_entry_ends_at_its_instant(bench: Bench) -> None:
    bench.put(until=0)
    assert bench.ask(header(1) + QUESTION)[0] is None


def test_rules_and_variants_do_not_mix(bench: Bench) -> None:
    bench.put(rules=2)
    assert bench.ask(header(1) + QUESTION)[0] is None
    bench.put(variant=drain_python_variant(opt=True))
    assert bench.ask(header(1) + QUESTION)[0] is None
    assert bench.ask(header(1, arcount=1) + QUESTION + PLAIN_OPT)[0]


def drain_python_variant(*, opt: bool) -> int:
    return 1 if opt else 0


def test_over_a_stream_nothing_is_limited_and_nothing_mixes(bench: Bench) -> None:
    over_tcp = 1 << 4
    bench.put()
    assert bench.memo.repeat(header(1) + QUESTION, SOURCE, 1) is None
    bench.put(variant=over_tcp)
    bench.memo.place(SOURCE, 1, 5, 1.0, 1.0)
    for identity in range(5):
        reply = bench.memo.repeat(header(identity) + QUESTION, SOURCE, 1)
        assert reply is not None and reply[:2] == identity.to_bytes(2, "big")
    assert bench.memo.repeat(header(1) + QUESTION, SOURCE, 2) is None
    assert bench.memo.repeat(header(1) + QUESTION, b"\1" * 16, 1) is None
    assert bench.memo.harvest() == [(1, QUESTION, 5, 1 << 5)]
    for source, transport in ((b"short", 1), (SOURCE, 4), (SOURCE, -1)):
        with pytest.raises(ValueError):
            bench.memo.repeat(header(1) + QUESTION, source, transport)


def test_a_harvest_tells_the_names_to_whoever_keeps_them(bench: Bench) -> None:
    bench.put()
    for number in range(3):
        bench.ask(header(number) + QUESTION)
    for names in (PythonNames(), drain.open_names()):
        bench.ask(header(7) + QUESTION)
        rows = bench.memo.harvest(names)
        assert [row[1] for row in rows] == [QUESTION], "what Python has put is its cache's too"
        assert names.take() == ([(NAME, rows[0][2], 1 << 5)], 0)
    assert bench.memo.harvest(drain.open_names()) == []


def test_a_harvest_in_steps_brings_everything_once(bench: Bench) -> None:
    names = [bytes((3,)) + b"%03d" % n + b"\7example\3com\0\0\1\0\1" for n in range(60)]
    now = time.monotonic_ns() // 1_000_000
    for question in names:
        bench.memo.put(1, 16, question, reply_to(question), (), (), now, now + 60_000, 4)
        assert bench.memo.repeat(header(1) + question, SOURCE, 1)
    for expected in (1, 0):
        found: list[tuple[int, bytes, int, int]] = []
        while (rows := bench.memo.harvest_some()) is not None:
            found += rows
        assert sorted(found) == [(1, name, 1, 1 << 5) for name in names] * expected


def test_an_unknown_source_is_the_handlers(bench: Bench) -> None:
    bench.put()
    bench.memo.forget_sources()
    assert bench.ask(header(1) + QUESTION)[0] is None


def test_flush_forgets_every_response(bench: Bench) -> None:
    bench.put()
    assert bench.memo.weight[0] == 1
    bench.memo.flush()
    assert bench.memo.weight == (0, 0)
    assert bench.ask(header(1) + QUESTION)[0] is None


HEIRS = 1 + 0x100
"""Rules that replace rules 1: of the same lineage."""


def test_what_was_carried_answers_under_both_until_the_swap_and_under_the_heirs_after(
    bench: Bench,
) -> None:
    bench.put()
    assert bench.memo.carry(1, HEIRS, QUESTION, 0, 1 << 62) == 1
    assert bench.ask(header(1) + QUESTION)[0]
    bench.memo.place(SOURCE, HEIRS, 5, 0.0, 0.0)
    bench.memo.retire(HEIRS)
    assert bench.ask(header(2) + QUESTION)[0]
    assert bench.memo.harvest() == [(HEIRS, QUESTION, 2, 1 << 5)]
    assert bench.memo.weight[0] == 1


def test_a_second_swap_carries_what_was_carried_and_not_used(bench: Bench) -> None:
    bench.put()
    bench.memo.carry(1, HEIRS, QUESTION, 0, 1 << 62)
    bench.memo.retire(HEIRS)
    assert list(held(bench)) == [(HEIRS, QUESTION, 0)]
    assert bench.memo.carry(HEIRS, HEIRS + 0x100, QUESTION, 0, 1 << 62) == 1
    bench.memo.place(SOURCE, HEIRS + 0x100, 5, 0.0, 0.0)
    assert bench.ask(header(1) + QUESTION)[0]
    bench.memo.place(SOURCE, HEIRS, 5, 0.0, 0.0)
    assert bench.ask(header(1) + QUESTION)[0] is None


def test_what_is_put_under_the_old_rules_after_it_was_carried_is_not_the_heirs(
    bench: Bench,
) -> None:
    bench.put()
    bench.memo.carry(1, HEIRS, QUESTION, 0, 1 << 62)
    bench.put()
    bench.memo.place(SOURCE, HEIRS, 5, 0.0, 0.0)
    assert bench.ask(header(1) + QUESTION)[0] is None


def test_only_what_was_stored_since_is_carried_and_no_longer_than_it_may(bench: Bench) -> None:
    bench.put(stored=-10)
    now = time.monotonic_ns() // 1_000_000
    assert bench.memo.carry(1, HEIRS, QUESTION, now - 5_000, 1 << 62) == 0
    assert bench.memo.carry(1, HEIRS, QUESTION, now - 50_000, now - 1) == 1
    bench.memo.place(SOURCE, HEIRS, 5, 0.0, 0.0)
    assert bench.ask(header(1) + QUESTION)[0] is None


def test_every_variant_is_carried_and_no_other_question(bench: Bench) -> None:
    bench.put()
    bench.put(variant=drain_python_variant(opt=True))
    assert bench.memo.carry(1, HEIRS, b"\3net\0\0\1\0\1", 0, 1 << 62) == 0
    assert bench.memo.carry(2, HEIRS + 1, QUESTION, 0, 1 << 62) == 0
    assert bench.memo.carry(1, HEIRS, QUESTION, 0, 1 << 62) == 2


def test_what_no_rules_can_use_goes_with_the_harvest_and_is_counted(bench: Bench) -> None:
    bench.put()
    assert bench.ask(header(1) + QUESTION)[0]
    bench.memo.retire(2)
    assert bench.memo.weight[0] == 1
    assert list(held(bench)) == []
    assert bench.memo.harvest() == [(1, QUESTION, 1, 1 << 5)]
    assert bench.memo.weight == (0, 0)


def held(bench: Bench) -> Iterator[tuple[int, bytes, int]]:
    while (some := bench.memo.held_some(None)) is not None:
        yield from some


def test_what_holds_is_told_with_its_uses_and_what_has_ended_is_not(bench: Bench) -> None:
    bench.put()
    bench.put(rules=3, until=-1)
    assert bench.ask(header(1) + QUESTION)[0]
    assert list(held(bench)) == [(1, QUESTION, 1)]
    assert list(held(bench)) == [(1, QUESTION, 1)]


@pytest.mark.parametrize("heirs", [0, 2, 0x102])
def test_rules_are_replaced_only_by_their_lineage(bench: Bench, heirs: int) -> None:
    bench.put()
    with pytest.raises(ValueError, match="lineage"):
        bench.memo.carry(1, heirs, QUESTION, 0, 1 << 62)


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "carry", "swap", "ask", "harvest"]), st.integers(0, 3)),
    max_size=30,
)


@given(steps=STEPS)
@settings(max_examples=150, deadline=None)
def test_any_history_of_swaps_leaves_the_same_answers_in_both(
    steps: list[tuple[str, int]],
) -> None:
    told = []
    for make in (PythonMemo, native()[0]):
        memo, number, answers = make(memoryview(bytearray(64)), 1 << 16), 1, []
        memo.place(SOURCE, number, 0, 0.0, 0.0)
        for at, (step, which) in enumerate(steps):
            question = bytes((1, 97 + which)) + b"\0\0\1\0\1"
            if step == "put":
                memo.put(number, 0, question, reply_to(question, at), (), (), at, 1 << 62, 4)
            elif step == "carry":
                answers.append(memo.carry(number, number + 0x100, question, at // 2, 1 << 62))
            elif step == "swap":
                number += 0x100
                memo.retire(number)
                memo.place(SOURCE, number, 0, 0.0, 0.0)
            elif step == "ask":
                answers.append(memo.repeat(header(at) + question, SOURCE, 0))
            else:
                answers.append((sorted(memo.harvest()), memo.weight[0]))
        told.append(answers)
    assert told[0] == told[1]


def test_a_source_over_its_rate_is_the_handlers(bench: Bench) -> None:
    bench.put()
    bench.memo.place(SOURCE, 1, 5, 0.001, 2.0)
    answers = [bench.ask(header(n) + QUESTION)[0] for n in range(4)]
    assert [answer is not None for answer in answers] == [True, True, False, False]


def test_a_network_gets_what_four_of_its_addresses_may(bench: Bench) -> None:
    bench.put()
    port = bench.client.getpeername()
    heard: dict[str, int] = {}
    for host in ("127.1.1.1", "127.1.1.2", "127.1.1.3", "127.1.1.4", "127.1.1.5", "127.1.2.1"):
        packed = SOURCE[:12] + socket.inet_aton(host)
        bench.memo.forget_sources()  # what the network has used up stays
        bench.memo.place(packed, 1, 5, 0.001, 2.0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind((host, 0))
            client.connect(port)
            client.setblocking(False)
            other = Bench(bench.memo, bench.loop, client, bench.counters)
            heard[host[4:]] = sum(other.ask(header(n) + QUESTION)[0] is not None for n in range(3))
    assert heard == {"1.1.1": 2, "1.1.2": 2, "1.1.3": 2, "1.1.4": 2, "1.1.5": 0, "1.2.1": 2}


def test_memory_is_bounded(bench: Bench) -> None:
    now = time.monotonic_ns() // 1_000_000
    for number in range(2000):
        question = b"\6" + b"%06d" % number + b"\0\0\1\0\1"
        bench.memo.put(1, 0, question, reply_to(question), (), (), now, now + 9999, 255)
    assert bench.memo.weight[1] <= 1 << 16
    assert bench.memo.weight[0] > 10


def test_bad_numbers_are_refused(bench: Bench) -> None:
    with pytest.raises((ValueError, OverflowError)):
        bench.memo.put(1, 0, QUESTION, reply_to(QUESTION), tuple(range(99)), (), 0, 0, 255)
    with pytest.raises(ValueError, match="16 octets"):
        bench.memo.place(b"\0" * 4, 1, 0, 0.0, 0.0)
    assert bench.memo.put(1, 0, QUESTION, b"short", (), (), 0, 9, 255) is False


def test_ipv6_peers_and_the_address_that_was_asked() -> None:
    for make in ((PythonMemo, PythonDrain), native()):
        with (
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as server,
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client,
        ):
            try:
                server.bind(("::1", 0))
            except OSError:
                pytest.skip("no IPv6 on this machine")
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            server.setblocking(False)
            client.connect(server.getsockname())
            client.settimeout(5)
            memo = make[0](memoryview(bytearray(64)), 1 << 16)
            loop = make[1](server.fileno(), memo)
            client.send(header(7) + QUESTION)
            left: list[drain.Waiting] = []
            deadline = time.monotonic() + 5
            while not left and time.monotonic() < deadline:
                left = loop.run(1)
            assert left[0][1] == b"\0" * 15 + b"\1"
            assert loop.send(left[0][2], b"hello")
            assert client.recv(100) == b"hello"
            del loop


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=600),
        st.tuples(
            st.sampled_from([header(1), header(2, 0x0110), header(3, arcount=1)]),
            st.binary(max_size=80),
            st.sampled_from([b"", QUESTION, PLAIN_OPT, QUESTION + PLAIN_OPT]),
        ).map(lambda parts: parts[0] + parts[2] + parts[1]),
    )
)
def test_any_datagram_gets_the_same_from_both(datagram: bytes) -> None:
    """Both know the datagram's own question if it has one; they must agree on what to do."""
    outcomes = []
    for make in ((PythonMemo, PythonDrain), native()):
        counters = bytearray(64)
        memo = make[0](memoryview(counters), 1 << 16)
        memo.place(SOURCE, 1, 5, 0.0, 0.0)
        if (form := plain_form(datagram)) is not None:
            memo.put(1, form[0], form[1], reply_to(form[1]), (), (0,), 0, 1 << 60, 255)
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        ):
            server.bind(("127.0.0.1", 0))
            server.setblocking(False)
            client.connect(server.getsockname())
            client.setblocking(False)
            loop = make[1](server.fileno(), memo)
            outcomes.append(Bench(memo, loop, client, counters).ask(datagram)[0])
            del loop
    assert outcomes[0] == outcomes[1]


REFUSALS = (8, 16)


def outcome(make: tuple[Any, Any], datagram: bytes) -> tuple[bytes | None, bool, list[int]]:
    """(reply, whether it was handed on, counters) of a loop that refuses by itself."""
    counters = bytearray(256)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        client.connect(server.getsockname())
        client.setblocking(False)
        loop = make[1](server.fileno(), make[0](memoryview(counters), 1 << 16), REFUSALS)
        client.send(datagram)
        left = loop.run(1)
        try:
            reply: bytes | None = client.recv(4096)
        except BlockingIOError:
            reply = None
        del loop
    return reply, bool(left), list(memoryview(counters).cast("Q"))


def same_from_both(datagram: bytes) -> tuple[bytes | None, bool, list[int]]:
    ours = outcome((PythonMemo, PythonDrain), datagram)
    assert outcome(native(), datagram) == ours
    reply, left, counters = ours
    assert (reply is not None) + left + counters[8] == 1
    return ours


@pytest.mark.parametrize("replies", [False, True], ids=["queries", "replies"])
def test_what_is_no_query_is_refused_alike_by_both(replies: bool) -> None:
    seen: set[int | None] = set()
    for wire in messages(3, 1500, replies=replies):
        cleared = wire[:2] + bytes([wire[2] & 0x7F]) + wire[3:] if len(wire) > 2 else wire
        for each in (wire, cleared):
            reply, _, counters = same_from_both(each)
            seen.add(None if reply is None else reply[3] & 15)
            assert reply is None or counters[16 + (reply[3] & 15)] == 1
    assert seen == {None, 1, 4}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"\0", b"\xc0\x0c", b"\1x\0", b"\xc0\xff"]),
            st.sampled_from([41, 41, 1]),
            st.lists(st.tuples(st.sampled_from([10, 3]), st.integers(0, 45)), max_size=70),
            st.sampled_from([0, 0, 0, 1, -1]),
        ),
        max_size=3,
    ),
    st.sampled_from([0, 0, 1, 14]),
)
def test_additional_records_are_read_alike_by_both(
    records: list[tuple[bytes, int, list[tuple[int, int]], int]], more: int
) -> None:
    wire = header(1, arcount=len(records) + more) + QUESTION
    for owner, kind, options, lie in records:
        body = b"".join(struct.pack("!HH", code, size) + bytes(size) for code, size in options)
        wire += owner + struct.pack("!HHIH", kind, 1232, 0, max(0, len(body) + lie)) + body
    same_from_both(wire[:4096])


def test_counters_that_are_not_there_are_refused() -> None:
    make = native()
    memo = make[0](memoryview(bytearray(256)), 1 << 16)
    for places in ((32, 16), (0, 17), (-1, 0), (0, -1)):
        with pytest.raises(ValueError, match="counter"):
            make[1](0, memo, places)
