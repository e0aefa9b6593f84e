"""A worker as the supervisor and the school's clients meet it: real process, policy and lists."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.query
import pytest

from filterd.metrics import layout
from filterd.wire import constants as c
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.worker import LabWorker, compile_shipped, shipped_policy

PRIMARY, LOWER, STAFF, UNKNOWN = "127.0.11.1", "127.0.12.1", "127.0.14.1", "127.0.99.1"


@pytest.fixture(scope="module")
def upstream() -> Iterator[LyingUpstream]:
    with LyingUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_shipped(tmp_path_factory.mktemp("index") / "index.fdx")


def url(upstream: LyingUpstream) -> str:
    host, port = upstream.address
    return f"udp://{host}:{port}"


@pytest.fixture(scope="module")
def worker(
    upstream: LyingUpstream, index: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabWorker]:
    with LabWorker(tmp_path_factory.mktemp("worker"), (url(upstream),)) as running:
        assert running.put_in_force(index) == {"ok": True}
        yield running


def codes(response: dns.message.Message) -> list[int]:
    return [int(o.code) for o in response.options if isinstance(o, dns.edns.EDEOption)]


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("client", [PRIMARY, LOWER, STAFF, UNKNOWN])
def test_every_tier_is_refused_what_the_floor_refuses(
    worker: LabWorker, client: str, tcp: bool
) -> None:
    for category in ("malware", "phishing", "csam"):
        response = worker.ask(f"{category}.canary.filterd.test", client=client, tcp=tcp)
        assert codes(response)[0] in (c.EDE_BLOCKED, c.EDE_CENSORED), (category, response)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_pupils_and_staff_are_answered_differently(worker: LabWorker, tcp: bool) -> None:
    name = "games.canary.filterd.test"
    assert codes(worker.ask(name, client=PRIMARY, tcp=tcp))[:1] == [c.EDE_BLOCKED]
    assert not codes(worker.ask(name, client=STAFF, tcp=tcp))


def test_the_allowed_canary_is_answered_locally_for_everyone(worker: LabWorker) -> None:
    for client in (PRIMARY, LOWER, STAFF, UNKNOWN, "127.0.10.1"):
        response = worker.ask("allowed.canary.filterd.test", client=client)
        assert str(response.answer[0][0]) == "192.0.2.1"


def test_what_is_allowed_is_forwarded_and_then_repeated(worker: LabWorker) -> None:
    first = worker.ask("good.lesson.example", client=LOWER)
    before = worker.single("cache_hits")
    for _ in range(5):
        again = worker.ask("GOOD.lesson.example", client=LOWER)
        assert str(again.answer[0][0]) == str(first.answer[0][0])
        assert again.question[0].name.to_text() == "GOOD.lesson.example."
    assert worker.single("cache_hits") - before == 5


def test_a_search_engine_is_answered_with_its_safe_address(worker: LabWorker) -> None:
    response = worker.ask("www.google.com", client=PRIMARY)
    assert response.answer[0].to_text().endswith("CNAME forcesafesearch.google.com.")
    assert codes(response) == [c.EDE_FORGED]
    assert not worker.ask("www.google.com", "HTTPS", client=PRIMARY).answer


@pytest.mark.parametrize("form", range(14))
def test_no_private_address_comes_from_outside(worker: LabWorker, form: int) -> None:
    for rtype in ("A", "AAAA"):
        response = worker.ask(f"rebind{form}.lesson.example", rtype, client=STAFF)
        assert response.rcode() == 0, response
        assert not [r for rrset in response.answer for r in rrset if rrset.rdtype in (1, 28)]


@pytest.mark.parametrize("lie", ["cnameloop", "ring", "chain20", "refused", "servfail"])
def test_answers_that_cannot_be_used_are_servfail(worker: LabWorker, lie: str) -> None:
    response = worker.ask(f"{lie}.lesson.example", client=STAFF)
    assert response.rcode() == c.SERVFAIL
    assert codes(response)


def test_a_big_answer_comes_over_tcp(worker: LabWorker) -> None:
    over_udp = worker.ask("big100.lesson.example", client=STAFF)
    assert over_udp.flags & dns.flags.TC
    assert len(over_udp.to_wire()) <= 1232
    over_tcp = worker.ask("big100.lesson.example", client=STAFF, tcp=True)
    assert len(over_tcp.answer[0]) == 100


def test_it_beats_and_tells_what_was_seen(worker: LabWorker) -> None:
    worker.ask("games.canary.filterd.test", client=PRIMARY)
    worker.ask("games.canary.filterd.test", client=PRIMARY)
    deadline = time.monotonic() + 5
    while worker.beats < 2 and time.monotonic() < deadline:
        worker.read_link()
    assert worker.beats >= 2
    seen = worker.ask_link({"do": "seen", "key": "00" * 16})
    names = {name: uses for name, uses, _ in seen["names"]}
    assert names["games.canary.filterd.test"] >= 2
    refused = {(tier, category): uses for tier, category, _, uses in seen["refusals"]}
    assert refused["primary", "games"] >= 2
    assert "127.0" not in str(seen)
    assert worker.ask_link({"do": "seen", "key": "00" * 16})["names"] == []


def test_the_debug_view_shows_queries_while_it_is_on(worker: LabWorker) -> None:
    worker.ask("porn.canary.filterd.test", client=PRIMARY)
    assert worker.ask_link({"do": "tail", "until": 30}) == {"ok": True}
    worker.ask("porn.canary.filterd.test", client=PRIMARY)
    (row,) = worker.ask_link({"do": "rows", "after": 0})["rows"]
    assert row["client"] == PRIMARY
    assert (row["outcome"], row["category"]) == ("blocked", "porn")
    worker.ask_link({"do": "tail", "until": 0})
    worker.ask("porn.canary.filterd.test", client=PRIMARY)
    assert worker.ask_link({"do": "rows", "after": 0})["rows"] == []


def test_a_refused_policy_leaves_the_running_one(worker: LabWorker, index: Path) -> None:
    broken = {**shipped_policy(), "primary.yaml": "tier: ["}
    answer = worker.put_in_force(index, broken)
    assert answer["ok"] is False
    assert "primary.yaml" in answer["error"]
    no_index = worker.put_in_force(index.with_name("missing.fdx"))
    assert no_index["ok"] is False
    assert codes(worker.ask("porn.canary.filterd.test", client=PRIMARY))


def test_without_a_policy_nobody_is_answered_unfiltered(
    upstream: LyingUpstream, tmp_path: Path
) -> None:
    with LabWorker(tmp_path, (url(upstream),)) as fresh:
        for client in (PRIMARY, STAFF):
            response = fresh.ask("good.lesson.example", client=client)
            assert response.rcode() == c.SERVFAIL
            assert codes(response) == [c.EDE_NOT_READY]


def test_refusals_are_counted_by_tier_and_category(worker: LabWorker) -> None:
    place = layout.blocked_place(layout.tier_index("primary"), layout.category_index("gambling"))
    before = worker.total(place)
    for _ in range(3):
        worker.ask("gambling.canary.filterd.test", client=PRIMARY)
    assert worker.total(place) - before == 3


def test_a_killed_worker_loses_nothing_but_what_it_held(
    upstream: LyingUpstream, index: Path, tmp_path: Path
) -> None:
    with LabWorker(tmp_path, (url(upstream),)) as first:
        first.put_in_force(index)
        second = LabWorker(tmp_path, (url(upstream),), shared=first)
        second.put_in_force(index)
        lost: list[str] = []
        stop = threading.Event()
        asked = 0

        def client() -> None:
            nonlocal asked
            while not stop.is_set():
                asked += 1
                try:
                    first.ask("games.canary.filterd.test", client=PRIMARY)
                except (dns.exception.Timeout, OSError) as error:
                    lost.append(str(error))

        thread = threading.Thread(target=client)
        thread.start()
        time.sleep(0.5)
        second.kill()
        time.sleep(0.5)
        stop.set()
        thread.join(20)
        assert asked > 100
        assert len(lost) <= 1, lost


def test_it_stops_when_told_and_when_its_supervisor_is_gone(
    upstream: LyingUpstream, tmp_path: Path
) -> None:
    with LabWorker(tmp_path, (url(upstream),)) as told:
        assert told.ask_link({"do": "stop"}) == {"ok": True}
        assert told.process.wait(10) == 0
    with LabWorker(tmp_path, (url(upstream),)) as orphan:
        orphan.link.close()
        assert orphan.process.wait(10) == 0
