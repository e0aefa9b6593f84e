"""Address lists on real answers: a worker, a compiled list, an upstream that answers as told.

A name that no list knows is refused when its answer, or a hint in its answer, leads to a listed
network, whatever else stands in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict

import dns.edns
import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from filterd.lists.job import Job, JobList
from filterd.wire import constants as c
from tests.lab import plain_upstream
from tests.lab.worker import LabWorker

LISTED = "198.51.100.0/24\n203.0.113.7\n2a0e:1111::/32\n"
ANSWERS = {
    "a-listed.example A": ("198.51.100.9", True),
    "a-among-others.example A": ("192.0.2.1|203.0.113.7", True),
    "a-beside.example A": ("203.0.113.8", False),
    "six-listed.example AAAA": ("2a0e:1111:2::3", True),
    "six-beside.example AAAA": ("2a0e:1112::3", False),
    "hint4.example HTTPS": ("1 . alpn=h2 ipv4hint=198.51.100.9", True),
    "hint4-second.example HTTPS": ("1 . alpn=h2 ipv4hint=192.0.2.1,203.0.113.7", True),
    "hint6.example HTTPS": ("1 . ipv6hint=2a0e:1111::9", True),
    "hint-one-of-two.example HTTPS": ("1 . ipv4hint=192.0.2.1 ipv6hint=2a0e:1111::9", True),
    "hint-second-record.example HTTPS": ("1 . ipv4hint=192.0.2.1|2 . ipv4hint=198.51.100.1", True),
    "service.example SVCB": ("1 . alpn=dot ipv4hint=198.51.100.9", True),
    "hint-beside.example HTTPS": ("1 . alpn=h2 ipv4hint=203.0.113.8 ipv6hint=2a0e:1112::1", False),
    "without-hint.example HTTPS": ("1 . alpn=h2", False),
}
"""What is asked: records of the answer, and whether it is refused."""


def answer(wire: bytes) -> bytes:
    asked = dns.message.from_wire(wire)
    question = asked.question[0]
    kind = dns.rdatatype.to_text(question.rdtype)
    key = f"{question.name.to_text(omit_final_dot=True).lower()} {kind}"
    reply = dns.message.make_response(asked)
    if key in ANSWERS:
        records = ANSWERS[key][0].split("|")
        reply.answer.append(dns.rrset.from_text(question.name, 300, "IN", kind, *records))
    return reply.to_wire()


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with plain_upstream.serve(answer) as address:
        yield address


@pytest.fixture(scope="module")
def worker(upstream: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabWorker]:
    folder = tmp_path_factory.mktemp("addresses")
    (folder / "bad.txt").write_text(LISTED)
    job = Job(str(folder / "index.fdx"), (JobList("bad", "malware", str(folder / "bad.txt")),))
    subprocess.run(
        [sys.executable, "-m", "filterd.lists.compile"], input=json.dumps(asdict(job)), text=True,
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    with LabWorker(folder, (upstream,)) as running:
        assert running.put_in_force(folder / "index.fdx") == {"ok": True}
        yield running


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("asked", ANSWERS)
def test_an_answer_that_leads_to_a_listed_address_is_refused(
    worker: LabWorker, asked: str, tcp: bool
) -> None:
    name, kind = asked.split()
    refused = ANSWERS[asked][1]
    for _ in range(2):  # fresh, then from the cache
        response = worker.ask(name, kind, tcp=tcp)
        given = [rdata.to_text() for rrset in response.answer for rdata in rrset]
        codes = [int(o.code) for o in response.options if isinstance(o, dns.edns.EDEOption)]
        if refused:
            assert not any(part in " ".join(given) for part in ("198.51", "203.0.113", "2a0e:1111"))
            assert codes[:1] == [c.EDE_BLOCKED], response
        else:
            assert given and not codes, response
