"""Clients that take connections and give nothing: everybody else is served as before."""

from __future__ import annotations

import contextlib
import resource
import socket
import struct
import time
from collections.abc import Iterator

import dns.message
import pytest

from tests.conformance import streams
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.packets import frames, query, read_frame, tcp_ask
from tests.lab.running import RunningFilterd, until

CANARY = "allowed.canary.filterd.test"


@pytest.fixture(scope="module", autouse=True)
def descriptors() -> Iterator[None]:
    """This side of 1,500 connections needs more descriptors than a shell has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def filterd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFilterd]:
    with LyingUpstream() as upstream:
        made = RunningFilterd(
            tmp_path_factory.mktemp("tcp"), {"upstreams": [upstream.url], "workers": 1}
        )
        try:
            yield made.start()
        finally:
            made.stop()


@pytest.mark.parametrize("sources", [1, 100], ids=["one client", "a hundred clients"])
def test_fifteen_hundred_idle_connections(filterd: RunningFilterd, sources: int) -> None:
    clients = [f"127.0.12.{number + 1}" for number in range(sources)]
    before = streams.others(filterd.port, CANARY)
    with streams.idle_connections(filterd.port, streams.IDLE, clients) as opened:
        meanwhile = streams.others(filterd.port, CANARY)
    assert opened >= 1000
    assert meanwhile.udp_answered == 200
    assert meanwhile.tcp
    # wide, for a busy machine: what is meant is that nothing waits for the idle ones
    assert meanwhile.udp_p99_ms < 5 * before.udp_p99_ms + 50


def test_silence_ends_after_ten_seconds_and_a_half_message_after_three(
    filterd: RunningFilterd,
) -> None:
    half = streams.closed_after(filterd.port, streams.half_message(), 20)
    assert half is not None and 2.5 < half < 6
    idle = streams.closed_after(filterd.port, b"", 30)
    assert idle is not None and 9 < idle < 15


def test_one_octet_at_a_time_is_answered_or_ended_but_not_kept(filterd: RunningFilterd) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", filterd.port), 10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            for octet in frames([query(CANARY)]) * 50:
                sock.send(bytes([octet]))
                time.sleep(0.1)
    assert time.monotonic() - began < 15


def test_fast_answers_overtake_a_slow_one(filterd: RunningFilterd) -> None:
    order = streams.order_of(
        filterd.port, "slow800.pipe.example", [f"good.p{n}.example" for n in range(5)]
    )
    assert sorted(order) == [0, 1, 2, 3, 4, 5]
    assert order[-1] == 0


def test_half_closed_clients_get_all_they_asked(filterd: RunningFilterd) -> None:
    wires = [query(f"good.h{number}.example", ident=number) for number in range(50)]
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.14.2", 0))
        sock.settimeout(5)
        sock.connect(("127.0.0.1", filterd.port))
        sock.sendall(frames(wires))
        sock.shutdown(socket.SHUT_WR)
        found = set()
        while (reply := read_frame(sock)) is not None:
            found.add(struct.unpack_from("!H", reply)[0])
    assert found == set(range(50))


def test_who_asks_for_much_and_reads_nothing_is_cut(filterd: RunningFilterd) -> None:
    frame = frames([query("big400.example")])
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.bind(("127.0.14.3", 0))
        sock.settimeout(0.2)
        sock.connect(("127.0.0.1", filterd.port))

        def cut() -> bool:
            try:
                sock.send(frame * 500)
            except TimeoutError:
                return False
            except OSError:
                return True
            return False

        until(cut, 20, "the end of a client that does not read")
    assert tcp_ask(filterd.port, query(CANARY), 3.0, "127.0.14.4") is not None


def test_no_connection_is_left_counted(filterd: RunningFilterd) -> None:
    until(lambda: _open(filterd) == 0, 20, "the end of all connections")


def _open(filterd: RunningFilterd) -> float:
    import urllib.request

    url = f"http://127.0.0.1:{filterd.metrics}/metrics/local"
    with urllib.request.urlopen(url, timeout=5) as answer:
        text = answer.read().decode()
    lines = [line for line in text.splitlines() if line.startswith("filterd_tcp_open")]
    assert lines, "the number of open connections is no metric"
    return float(lines[0].rpartition(" ")[2])


def test_a_reply_is_the_one_that_was_asked_for(filterd: RunningFilterd) -> None:
    """Two clients with the same id and different questions never get each other's answer."""
    for number in range(20):
        reply = tcp_ask(filterd.port, query(f"good.own{number}.example", ident=7))
        assert reply is not None
        assert str(dns.message.from_wire(reply).question[0].name) == f"good.own{number}.example."
