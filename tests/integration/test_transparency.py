"""What is not filtered comes through unchanged: filterd beside its own upstream, name by name.

A validating unbound with a signed and a bogus zone is asked directly and through filterd, over UDP
and TCP, with and without DO, CD and AD.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import socket
from collections.abc import Iterator

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from tests.lab.signed import signed_upstream
from tests.lab.worker import LabWorker, compile_shipped

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("unbound", "named", "dnssec-signzone"))),
    reason="needs Debian's unbound, bind9 and bind9-utils",
)
STAFF = "127.0.14.1"
NAMES = [
    "www", "WwW", "a", "dn", "x.dn", "q.wild", "t666", "bad\\.dot", "nul\\000x", "sp\\032ace",
    "mixed", "er.still", "deep.er.still", "many", "caa", "srv", "nothing-here", "ns", "",
]  # fmt: skip
TYPES = ["A", "AAAA", "TXT", "HTTPS", "MX", "SRV", "CAA", "NS", "SOA", "DNSKEY", "DS", "TYPE666"]


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with signed_upstream(tmp_path_factory.mktemp("signed")) as port:
        yield port


@pytest.fixture(scope="module")
def worker(upstream: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabWorker]:
    folder = tmp_path_factory.mktemp("worker")
    with LabWorker(folder, (f"udp://127.0.0.1:{upstream}",)) as running:
        running.put_in_force(compile_shipped(folder / "index.fdx"))
        yield running


def question(name: str, rtype: str, do: bool, flags: int) -> dns.message.Message:
    query = dns.message.make_query(name, rtype, use_edns=0, want_dnssec=do)
    query.flags |= flags
    return query


@contextlib.contextmanager
def connected(port: int, source: str, tcp: bool) -> Iterator[socket.socket]:
    """A socket that asks this port from that address, for many questions."""
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((source, 0))
        sock.settimeout(10)
        sock.connect(("127.0.0.1", port))
        yield sock


def ask(sock: socket.socket, query: dns.message.Message) -> dns.message.Message:
    if sock.type == socket.SOCK_DGRAM:
        sock.send(query.to_wire())
        return dns.message.from_wire(sock.recv(65_535))
    dns.query.send_tcp(sock, query)
    return dns.query.receive_tcp(sock)[0]


def essence(reply: dns.message.Message) -> tuple[object, ...]:
    """All that must be the same: rcode, flags, records without TTLs, whether OPT is there."""
    flags = reply.flags & (dns.flags.AD | dns.flags.CD | dns.flags.RA | dns.flags.TC | dns.flags.RD)
    records = sorted(
        f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)} {rdata.to_text()}".lower()
        for rrset in reply.answer
        for rdata in rrset
    )
    kinds = sorted({(rrset.name.to_text().lower(), int(rrset.rdtype)) for rrset in reply.authority
                    if rrset.rdtype != dns.rdatatype.NS})  # fmt: skip
    return (reply.rcode(), flags, records, kinds, reply.edns)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("do", [False, True], ids=["", "do"])
def test_nothing_is_changed_on_the_way(
    upstream: int, worker: LabWorker, do: bool, tcp: bool
) -> None:
    different = []
    with (
        connected(upstream, "127.0.0.1", tcp) as direct,
        connected(worker.port, STAFF, tcp) as through,
    ):
        for name, rtype in itertools.product(NAMES, TYPES):
            if (name, rtype) == ("", "DS"):
                continue  # the parent would be asked, and this lab has none
            flags = int(dns.flags.AD) if len(name) % 2 else 0
            query = question(f"{name}.signed.example".lstrip("."), rtype, do, flags)
            theirs, ours = essence(ask(direct, query)), essence(ask(through, query))
            if ours != theirs:
                different.append((name, rtype, flags, theirs, ours))
    assert not different, (len(different), different[:3])


def test_what_does_not_validate_is_servfail_with_the_validators_reason(worker: LabWorker) -> None:
    response = worker.ask("www.bogus.example", client=STAFF)
    assert response.rcode() == dns.rcode.SERVFAIL
    errors = [o for o in response.options if isinstance(o, dns.edns.EDEOption)]
    assert {int(error.code) for error in errors} & {6, 7, 8, 9, 10, 12}


def test_who_checks_for_himself_gets_what_does_not_validate(worker: LabWorker) -> None:
    query = question("www.bogus.example", "A", True, int(dns.flags.CD))
    reply = dns.query.udp(query, "127.0.0.1", 5, worker.port, source=STAFF)
    assert "192.0.2.66" in reply.answer[0].to_text()
    assert not reply.flags & dns.flags.AD
    plain = worker.ask("www.bogus.example", client=STAFF)
    assert plain.rcode() == dns.rcode.SERVFAIL


def test_a_rewritten_answer_is_never_called_authentic(worker: LabWorker) -> None:
    query = question("games.canary.filterd.test", "A", True, int(dns.flags.AD))
    reply = dns.query.udp(query, "127.0.0.1", 5, worker.port, source="127.0.11.1")
    assert not reply.flags & dns.flags.AD
