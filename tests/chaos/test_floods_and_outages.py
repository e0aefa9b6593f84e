"""Names nobody has, by the ten thousand, and upstreams that are all gone: others notice nothing."""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.beside import good_questions
from tests.lab.packets import query, udp_ask
from tests.lab.processes import descendants, resident_mib
from tests.lab.quick_upstream import QuickUpstream, quick_upstream
from tests.lab.running import RunningFilterd, until

CANARY, BLOCKED = "allowed.canary.filterd.test", "porn.canary.filterd.test"
PUPIL = "127.0.12.9"


@pytest.fixture(scope="module")
def school(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningFilterd, QuickUpstream]]:
    with quick_upstream() as upstream:
        made = RunningFilterd(
            tmp_path_factory.mktemp("floods"), {"upstreams": [upstream.url], "workers": 1}
        )
        try:
            yield made.start(), upstream
        finally:
            made.stop()


def asked(port: int, wires: list[bytes], source: str = PUPIL, seconds: float = 5) -> Counter[int]:
    """Ask all of it, 200 at a time; how many of each rcode came."""
    found: Counter[int] = Counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind((source, 0))
        sock.connect(("127.0.0.1", port))
        sock.settimeout(seconds)
        waiting = 0
        with contextlib.suppress(TimeoutError):
            for number, wire in enumerate(wires, 1):
                sock.send(wire)
                waiting += 1
                while waiting and (waiting >= 200 or number == len(wires)):
                    found[sock.recv(4096)[3] & 15] += 1
                    waiting -= 1
    return found


def lessons(first: int, count: int, zone: str = "lesson.example") -> list[bytes]:
    return [query(f"n{number}.{zone}", ident=number & 0xFFFF)
            for number in range(first, first + count)]  # fmt: skip


@pytest.mark.parametrize("names", [20_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_random_names_push_out_nothing_that_is_used(
    school: tuple[RunningFilterd, QuickUpstream], names: int
) -> None:
    """More than 95 % of what a class used stays known, and memory stays within the cache's."""
    filterd, upstream = school
    popular = lessons(0, 1000)
    for _ in range(2):
        assert asked(filterd.port, popular) == {0: 1000}
    before = resident_mib(filterd.process.pid)  # type: ignore[union-attr]
    for first in range(0, names, 10_000):
        asked(filterd.port, lessons(first, 10_000, "victim.example"), "127.0.12.66", 1)
    grown = resident_mib(filterd.process.pid) - before  # type: ignore[union-attr]
    counted = upstream.counts()["other"]
    assert counted > 0.9 * names, "the flood did not get there"
    assert asked(filterd.port, popular) == {0: 1000}
    again = upstream.counts()["other"] - counted
    print(f"{names} random names: {grown:.1f} MiB more, {again} of 1,000 used names asked again")
    assert again < 50
    assert grown < 70, "the cache has 64 MiB"


@pytest.mark.slow
def test_twenty_thousand_a_second_of_one_client_cost_another_nothing(
    school: tuple[RunningFilterd, QuickUpstream],
) -> None:
    """On loopback, where no rate holds the flood back; the other asks what nobody asked before."""
    filterd, _ = school
    ended = threading.Event()
    sent = [0]
    wires = lessons(0, 60_000, "dead.example")

    def flood() -> None:
        began = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.12.66", 0))
            sock.connect(("127.0.0.1", filterd.port))
            sock.setblocking(False)
            while not ended.is_set() and sent[0] < len(wires):
                while sent[0] < min(len(wires), (time.monotonic() - began) * 20_000):
                    with contextlib.suppress(OSError):
                        sock.send(wires[sent[0]])
                    sent[0] += 1
                time.sleep(0.001)

    thread = threading.Thread(target=flood)
    with good_questions(filterd.port, "new{n}.lesson.example", 50) as stream:
        thread.start()
        thread.join(60)
        ended.set()
    print(f"{sent[0]} questions of one; {len(stream.times)} of another, p99 {stream.p99_ms:.1f} ms")
    # flooder, upstream and filter share what processors there are: 0 lost where they have one each
    assert stream.lost <= len(stream.times) // 50


def test_all_upstreams_gone(school: tuple[RunningFilterd, QuickUpstream]) -> None:
    """Known answers, blocked and local names as ever; unknown ones SERVFAIL within their time;
    nothing grows; and it is over when the upstream is back."""
    filterd, upstream = school
    assert filterd.process is not None
    warm, cold = lessons(0, 5000), lessons(0, 50, "cold.example")
    until(lambda: asked(filterd.port, warm) == {0: 5000}, 60, "5,000 answers")
    before = resident_mib(filterd.process.pid)
    upstream._child.send_signal(signal.SIGSTOP)
    try:
        found: list[Counter[int]] = []

        def ask_of(pupil: int) -> None:
            wires = lessons(pupil * 50, 50, "cold.example")
            for _ in range(3):  # as every client does: a datagram may be lost on a busy machine
                told = asked(filterd.port, wires, f"127.0.12.{pupil + 100}")
                if told.total() == 50:
                    break
            found.append(told)

        classes = [threading.Thread(target=ask_of, args=(pupil,)) for pupil in range(20)]
        for each in classes:
            each.start()
        assert asked(filterd.port, warm) == {0: 5000}
        for name, rcode in ((CANARY, 0), (BLOCKED, 3)):
            reply = udp_ask(filterd.port, query(name), source=PUPIL)
            assert reply is not None and reply[3] & 15 == rcode
        for each in classes:
            each.join()
        assert sum(found, Counter()) == {2: 1000}, "SERVFAIL, in time, to everybody"
        assert resident_mib(filterd.process.pid) - before < 15
    finally:
        upstream._child.send_signal(signal.SIGCONT)
    # what failed is known to have failed for up to 30 s (RFC 9520); other names work at once
    until(lambda: asked(filterd.port, lessons(9000, 1), seconds=1) == {0: 1}, 60, "the way back")
    until(lambda: asked(filterd.port, cold, seconds=1) == {0: 50}, 60, "names that had failed")


def test_upstream_sockets_take_replies_from_their_upstream_alone(
    school: tuple[RunningFilterd, QuickUpstream],
) -> None:
    """SAD DNS (CVE-2020-25705) and port scans: while 200 questions wait, every UDP socket of the
    box but the listening ones is connected."""
    filterd, upstream = school
    assert filterd.process is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((PUPIL, 0))
        sock.connect(("127.0.0.1", filterd.port))
        for wire in [query(f"dead{number}.example", ident=number) for number in range(200)]:
            sock.send(wire)
        until(lambda: upstream.counts().get("dead", 0) >= 100, 10, "the questions upstream")
        rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    port = struct.pack("!H", upstream.port).hex().upper()
    ours = sockets_of(filterd.process.pid)
    open_ones = [row for row in rows if row[9] in ours and row[2] == "00000000:0000"]
    connected = [row for row in rows if row[9] in ours and row[2].endswith(f":{port}")]
    assert len(connected) >= 10
    assert {row[1].partition(":")[2] for row in open_ones} == {f"{filterd.port:04X}"}


def sockets_of(pid: int) -> set[str]:
    """Inodes of the sockets of a process and all that it started."""
    found = set()
    for one in descendants(pid):
        with contextlib.suppress(OSError):
            links = [each.readlink() for each in Path(f"/proc/{one}/fd").iterdir()]
            found |= {str(each)[8:-1] for each in links if str(each).startswith("socket:")}
    return found
