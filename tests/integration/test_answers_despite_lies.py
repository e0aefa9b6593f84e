"""`filterd run` in front of an upstream that lies, as a pupil meets it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import dns.edns
import dns.message
import dns.rcode
import pytest

from tests.conformance import lies
from tests.lab.lies import REBIND, good
from tests.lab.lying_upstream import TWELVE, LyingUpstream
from tests.lab.packets import AD, CD, DO, RD, Opt, query, udp_ask
from tests.lab.running import RunningFilterd, until

POISON = "203.0.113.66"
PUPIL = "127.0.12.1"


@pytest.fixture(scope="module")
def upstream() -> Iterator[LyingUpstream]:
    with LyingUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def filterd(
    upstream: LyingUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningFilterd]:
    made = RunningFilterd(
        tmp_path_factory.mktemp("lies"), {"upstreams": [upstream.url], "workers": 1}
    )
    try:
        yield made.start()
    finally:
        made.stop()


def reasons(reply: dns.message.Message) -> list[int]:
    return [int(o.code) for o in reply.options if isinstance(o, dns.edns.EDEOption)]


def test_twelve_lies_twelve_good_answers(filterd: RunningFilterd, upstream: LyingUpstream) -> None:
    found = lies.twelve(filterd.port)
    assert found.delivered == set(TWELVE)
    assert not found.accepted
    assert filterd.ask("www.bank.example", PUPIL).rcode() == 0
    assert upstream.queries("www"), "what a lie had brought along was kept for another name"


def test_forty_variants_of_one_question_are_one_upstream_query(
    filterd: RunningFilterd, upstream: LyingUpstream
) -> None:
    subnet = Opt(options=((8, b"\0\1\x18\0\x0a\0\0"),))
    variants = [
        query("hold.Variants.example" if n & 1 else "HOLD.variants.example", 1,
              RD | (AD if n & 2 else 0) | (CD if n & 4 else 0),
              (None, Opt(), Opt(flags=DO), subnet)[n % 4], ident=n)
        for n in range(40)
    ]  # fmt: skip
    with contextlib.ExitStack() as on:
        pupils = []
        for number, wire in enumerate(variants):
            sock = on.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.bind((f"127.0.12.{number + 1}", 0))
            sock.settimeout(4)
            sock.connect(("127.0.0.1", filterd.port))
            pupils.append((sock, wire))
        for sock, wire in pupils:
            sock.send(wire)
        until(lambda: upstream.queries("hold"), 3, "the upstream query")
        upstream.release()
        answers = [sock.recv(2048) for sock, _ in pupils]
    assert all(answer[3] & 15 == 0 for answer in answers)
    assert len(upstream.queries("hold")) == 1
    assert not any(8 in seen.options for seen in upstream.log), "a client's subnet went upstream"


@pytest.mark.parametrize("form", range(len(REBIND)), ids=REBIND)
def test_a_public_name_never_leads_into_the_school(filterd: RunningFilterd, form: int) -> None:
    kind = "AAAA" if ":" in REBIND[form] else "A"
    reply = filterd.ask(f"rebind{form}.example.com", PUPIL, kind)
    assert not reply.answer
    assert 15 in reasons(reply)


@pytest.mark.parametrize("label", ["dead", "refused", "servfail"])
def test_a_failure_is_told_soon_and_remembered(
    filterd: RunningFilterd, upstream: LyingUpstream, label: str
) -> None:
    began = time.monotonic()
    reply = filterd.ask(f"{label}.failing.example", PUPIL)
    assert time.monotonic() - began < 2.0
    assert reply.rcode() == dns.rcode.SERVFAIL
    assert reasons(reply)
    before = len(upstream.queries(label))
    for _ in range(20):
        assert filterd.ask(f"{label}.failing.example", PUPIL).rcode() == dns.rcode.SERVFAIL
    assert len(upstream.queries(label)) == before <= 3


@pytest.mark.parametrize("label", ["ring", "cnameloop", "chain20"])
def test_rings_and_long_chains_of_aliases_are_servfail(filterd: RunningFilterd, label: str) -> None:
    assert filterd.ask(f"{label}.example.com", PUPIL).rcode() == dns.rcode.SERVFAIL


def test_a_long_ttl_is_not_believed(filterd: RunningFilterd) -> None:
    reply = filterd.ask("ttl2147483647.example.com", PUPIL)
    assert reply.answer[0].ttl <= 86_400


def test_what_was_held_back_is_not_let_go_in_one_burst(
    filterd: RunningFilterd, upstream: LyingUpstream
) -> None:
    """DNSBomb (CVE-2024-33655): thousands of questions that wait, answers that all come at once.

    One address may be a classroom behind NAT: 1,000 of its questions wait, and no more than that
    is ever let go (`resolve.placement.Limits`).
    """
    before = len(upstream.queries("hold"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind(("127.0.12.77", 0))
        sock.connect(("127.0.0.1", filterd.port))
        sock.settimeout(0.5)
        for number in range(3000):
            sock.send(query(f"hold.n{number}.example", ident=number))
        until(lambda: len(upstream.queries("hold")) >= before + 150, 1.5, "the questions upstream")
        refused = _drain(sock)
        upstream.release()
        burst = _drain(sock)
    assert refused >= 1500, "more questions wait for one client than its share"
    assert burst <= 1000


def _drain(sock: socket.socket) -> int:
    found = 0
    try:
        while True:
            sock.recv(2048)
            found += 1
    except TimeoutError:
        return found


async def test_a_flood_of_random_names_costs_others_nothing(filterd: RunningFilterd) -> None:
    """One pupil asks for names nobody has; another asks for a known one: all of it answered."""
    filterd.ask("well-known.example.com", PUPIL)
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        flood.bind(("127.0.12.66", 0))
        flood.connect(("127.0.0.1", filterd.port))
        flood.setblocking(False)

        def shower(first: int) -> None:
            for number in range(first, first + 400):
                try:
                    flood.send(query(f"dead.r{number}.victim.example", ident=number & 0xFFFF))
                except BlockingIOError:
                    return

        answered = 0
        for turn in range(10):
            await loop.run_in_executor(None, shower, turn * 400)
            for _ in range(10):
                reply = await loop.run_in_executor(
                    None, udp_ask, filterd.port, query("well-known.example.com"), 1.0, PUPIL
                )
                answered += reply is not None and reply[3] & 15 == 0
    assert answered == 100


def test_no_more_packets_than_a_few_for_any_question(
    filterd: RunningFilterd, upstream: LyingUpstream
) -> None:
    """NXNS and its kin: whatever an answer names, nothing is looked up for it."""
    before = len(upstream.queries("link0")) + len(upstream.queries("bank"))
    filterd.ask("chain10.amplified.example", PUPIL)
    filterd.ask("extra.amplified.example", PUPIL)
    asked = [seen.qname.lower() for seen in upstream.log if "amplified" in seen.qname.lower()]
    assert asked == ["chain10.amplified.example", "extra.amplified.example"]
    assert len(upstream.queries("link0")) + len(upstream.queries("bank")) == before


NOBODYS = {
    ("localhost", "A"): "127.0.0.1",
    ("www.localhost", "AAAA"): "::1",
    ("localhost", "TXT"): dns.rcode.NOERROR,
    **dict.fromkeys(
        [
            ("www.invalid", "A"), ("abcd.onion", "A"), ("name.alt", "A"), ("printer.local", "A"),
            ("nas.home.arpa", "A"), ("3.2.1.10.in-addr.arpa", "PTR"),
            ("1.0.168.192.in-addr.arpa", "PTR"), ("9.8.16.172.in-addr.arpa", "PTR"),
            ("1.1.254.169.in-addr.arpa", "PTR"), ("1.0.0.127.in-addr.arpa", "PTR"),
            ("1.0.d.f.ip6.arpa", "PTR"), ("8.e.f.ip6.arpa", "PTR"),
            ("use-application-dns.net", "A"), ("mask.icloud.com", "A"), ("mask-h2.icloud.com", "A"),
        ]
    ),
    ("_dns.resolver.arpa", "SVCB"): dns.rcode.NOERROR,
    ("_dns.resolver.arpa", "A"): dns.rcode.NOERROR,
}  # fmt: skip
"""What every resolver answers by itself (RFC 6303, 6761, 6762, 7686, 8375, 9462, 9476), and names
that ask clients not to go round the filter: an address, a rcode, or None: NXDOMAIN or empty."""


def test_nobodys_names_are_answered_here_and_never_leave(
    filterd: RunningFilterd, upstream: LyingUpstream
) -> None:
    for (name, kind), wanted in NOBODYS.items():
        reply = filterd.ask(name, "127.0.14.1", kind)
        if isinstance(wanted, str):
            assert [item.to_text() for item in reply.answer[0]] == [wanted], name
        else:
            allowed = {wanted} if wanted is not None else {dns.rcode.NXDOMAIN, dns.rcode.NOERROR}
            assert reply.rcode() in allowed and not reply.answer, (name, kind)
    asked = {seen.qname.lower().rstrip(".") for seen in upstream.log}
    assert not asked & {name for name, _ in NOBODYS}


def test_the_old_answer_while_the_upstream_is_away(tmp_path: Path) -> None:
    """Stale within 1.8 s with EDE 3; blocked names still blocked, our own still answered."""
    with LyingUpstream() as short:
        made = RunningFilterd(tmp_path, {"upstreams": [short.url], "workers": 1})
        gone = False
        short._extra["fleeting"] = lambda record, _transport: (
            [] if gone else [(0.0, bytes(good(record, ttl=1).pack()))]
        )
        try:
            made.start()
            assert made.outcome("fleeting.example.com") == "NOERROR 192.0.2.1"
            gone = True
            until(
                lambda: 3 in reasons(made.ask("fleeting.example.com", PUPIL)), 8, "a stale answer"
            )
            began = time.monotonic()
            reply = made.ask("fleeting.example.com", PUPIL)
            assert reply.answer and time.monotonic() - began < 2.0
            assert made.outcome("porn.canary.filterd.test").startswith("NXDOMAIN")
            assert made.outcome("allowed.canary.filterd.test") == "NOERROR 192.0.2.1"
            cold = made.ask("dead.never-asked.example.com", PUPIL)
            assert cold.rcode() == dns.rcode.SERVFAIL and {22, 23} & set(reasons(cold))
        finally:
            made.stop()
