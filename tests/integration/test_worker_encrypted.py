"""The whole worker over DoT and DoH: the same verdicts, padding, devices and designation."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import dns.edns
import dns.message
import dns.query
import httpx
import pytest

from tests.lab.certificates import Authority
from tests.lab.encrypted import NAME
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.worker import LabWorker, compile_shipped

PUPIL, STAFF = "127.0.12.1", "127.0.14.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def worker(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabWorker]:
    folder = tmp_path_factory.mktemp("worker")
    index = compile_shipped(folder / "index.fdx")
    pair = authority.issue(NAME, f"*.{NAME}", "127.0.0.1")
    with LyingUpstream() as upstream, LabWorker(folder, (upstream.url,), pair=pair) as running:
        assert running.put_in_force(index) == {"ok": True}
        yield running


def ask(
    worker: LabWorker, authority: Authority, way: str, name: str, client: str = PUPIL
) -> dns.message.Message:
    query = dns.message.make_query(name, "A", use_edns=0, pad=128)
    context = ssl.create_default_context(cafile=str(authority.file))
    if way == "dot":
        port = worker.dot[0].getsockname()[1]
        return dns.query.tls(
            query, "127.0.0.1", 5, port, source=client, ssl_context=context, server_hostname=NAME
        )
    port = worker.doh[0].getsockname()[1]
    transport = httpx.HTTPTransport(http2=True, verify=context, local_address=client)
    with httpx.Client(transport=transport, timeout=10) as http:
        got = http.post(
            f"https://127.0.0.1:{port}/dns-query",
            content=query.to_wire(),
            headers={"content-type": "application/dns-message"},
        )
    assert (got.status_code, got.http_version) == (200, "HTTP/2")
    return dns.message.from_wire(got.content)


def codes(response: dns.message.Message) -> list[int]:
    return [int(o.code) for o in response.options if isinstance(o, dns.edns.EDEOption)]


@pytest.mark.parametrize("way", ["dot", "doh"])
def test_verdicts_are_those_of_plain_dns(worker: LabWorker, authority: Authority, way: str) -> None:
    games, lesson = "games.canary.filterd.test", "good.lesson.example"
    assert codes(ask(worker, authority, way, games))[:1] == [15]
    assert codes(ask(worker, authority, way, games, STAFF)) == []
    assert str(ask(worker, authority, way, lesson, STAFF).answer[0][0]) == "192.0.2.1"


@pytest.mark.parametrize("way", ["dot", "doh"])
def test_padded_questions_get_padded_answers(
    worker: LabWorker, authority: Authority, way: str
) -> None:
    response = ask(worker, authority, way, "allowed.canary.filterd.test")
    assert response.wire is not None
    assert len(response.wire) % 468 == 0


def test_our_own_endpoints_are_designated(worker: LabWorker) -> None:
    response = worker.ask("_dns.resolver.arpa", "SVCB")
    text = " ".join(rdata.to_text() for rrset in response.answer for rdata in rrset)
    assert f'port="{worker.doh[0].getsockname()[1]}"' in text
    assert f'port="{worker.dot[0].getsockname()[1]}"' in text
