"""Crowds at the sign-in and at the encrypted listeners: questions are answered as before."""

from __future__ import annotations

import contextlib
import http.client
import re
import resource
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterator

import pytest

from tests.conformance import streams
from tests.conformance.beside import Stream, good_questions
from tests.lab.certificates import Authority
from tests.lab.packets import frames, query, read_frame
from tests.lab.processes import resident_mib
from tests.lab.quick_upstream import quick_upstream
from tests.lab.running import RunningFilterd, free_ports, until

CANARY = "allowed.canary.filterd.test"
GUESSES, GUESSERS = 200, 4


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningFilterd, int]]:
    """A box with its console, and the console's port."""
    console, dot, doh = free_ports(3)
    folder = tmp_path_factory.mktemp("door")
    pair = Authority(folder).issue("school.example", "127.0.0.1")
    with quick_upstream() as upstream:
        made = RunningFilterd(folder, {
            "upstreams": [upstream.url], "workers": 2, "console": f"127.0.0.1:{console}",
        })  # fmt: skip
        made.settings["listen"] |= {
            "dot": [f"127.0.0.1:{dot}"], "doh": [f"127.0.0.1:{doh}"],
            "tls": {"certificate": str(pair.certificate), "key": str(pair.key)},
        }  # fmt: skip
        try:
            made.start()
            until(lambda: _page(console), 60, "the console")
            yield made, console
        finally:
            made.stop()


def _page(port: int) -> tuple[str, str] | None:
    """The sign-in form's token and the cookie that goes with it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.suppress(OSError), contextlib.closing(connection):
        connection.request("GET", "/sign-in/")
        answer = connection.getresponse()
        text = answer.read().decode()
        found = re.search(r'name="csrf_token" value="([^"]+)"', text)
        cookies = answer.headers.get_all("Set-Cookie") or []
        if found:
            return found[1], "; ".join(each.split(";")[0] for each in cookies)
    return None


def _guess(port: int, token: str, cookie: str, password: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    form = {"csrf_token": token, "account": "admin", "password": password}
    headers = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{port}",
               "Content-Type": "application/x-www-form-urlencoded"}  # fmt: skip
    with contextlib.closing(connection):
        connection.request("POST", "/sign-in/", urllib.parse.urlencode(form), headers)
        answer = connection.getresponse()
        return f"{answer.status} {answer.headers.get('Location', '')} {answer.read().decode()}"


def test_guessing_passwords_does_not_move_the_answers(school: tuple[RunningFilterd, int]) -> None:
    filterd, console = school
    with good_questions(filterd.port, CANARY, 300) as before:
        time.sleep(3)
    said: list[str] = []
    ended = threading.Event()

    def guess(number: int) -> None:
        token, cookie = _page(console) or ("", "")
        for turn in range(GUESSES // GUESSERS):
            if ended.is_set():
                return
            with contextlib.suppress(OSError, http.client.HTTPException):
                said.append(_guess(console, token, cookie, f"sai-{number}-{turn}"))

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(GUESSERS)]
    with good_questions(filterd.port, CANARY, 300) as meanwhile:
        for thread in threads:
            thread.start()
        until(lambda: not any(thread.is_alive() for thread in threads) or len(said) >= GUESSES, 90)
        ended.set()
        for thread in threads:
            thread.join(40)
    print(f"{len(said)} guesses; p99 {before.p99_ms:.1f} → {meanwhile.p99_ms:.1f} ms, "
          f"lost {meanwhile.lost} of {len(meanwhile.times)}")  # fmt: skip
    assert len(said) >= GUESSES // 2
    assert not any(each.startswith("303 / ") for each in said), "a guess was let in"
    assert unharmed(before, meanwhile)


# --- crowds of connections, on every stream transport -------------------------------------------

IDLE = 1500
TRANSPORTS = ("tcp", "dot", "doh")


@pytest.fixture(autouse=True, scope="module")
def descriptors() -> Iterator[None]:
    """This side of 1,500 connections needs more descriptors than a shell has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def port_of(filterd: RunningFilterd, transport: str) -> int:
    listen = filterd.settings["listen"]
    key = "dns" if transport == "tcp" else transport
    return int(str(listen[key][0]).rpartition(":")[2])


def connected(port: int, source: str, transport: str) -> socket.socket:
    """A connection, behind TLS where the transport has it."""
    sock = socket.socket()
    sock.bind((source, 0))
    sock.settimeout(10)
    sock.connect(("127.0.0.1", port))
    if transport == "tcp":
        return sock
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["dot" if transport == "dot" else "http/1.1"])
    return context.wrap_socket(sock, server_hostname="school.example")


def framed(transport: str, *wires: bytes) -> bytes:
    """Questions as the transport carries them."""
    if transport != "doh":
        return frames(wires)
    head = (
        "POST /dns-query HTTP/1.1\r\nHost: school.example\r\nContent-Type: application/dns-message"
    )
    return b"".join(f"{head}\r\nContent-Length: {len(wire)}\r\n\r\n".encode() + wire
                    for wire in wires)  # fmt: skip


def answered(filterd: RunningFilterd, transport: str, source: str) -> bool:
    """Whether a new client of that transport gets its answer."""
    with (
        contextlib.suppress(OSError),
        connected(port_of(filterd, transport), source, transport) as sock,
    ):
        sock.sendall(framed(transport, query(CANARY)))
        found = b""
        while bytes((192, 0, 2, 1)) not in found:
            if not (piece := sock.recv(4096)):
                return False
            found += piece
        return True
    return False


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_fifteen_hundred_who_say_nothing(
    school: tuple[RunningFilterd, int], transport: str
) -> None:
    """Half of them open without a word (no TLS either); some shake hands and fall silent."""
    filterd, _ = school
    port = port_of(filterd, transport)
    with contextlib.ExitStack() as on, good_questions(filterd.port, CANARY, 200) as stream:
        on.enter_context(streams.idle_connections(port, IDLE, ["127.0.12.1", "127.0.12.2"]))
        for number in range(20):
            with contextlib.suppress(OSError):
                on.enter_context(connected(port, f"127.0.12.{number + 10}", transport))
        assert answered(filterd, transport, "127.0.14.77")
    assert stream.lost == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_one_octet_at_a_time_from_many(school: tuple[RunningFilterd, int], transport: str) -> None:
    """Twenty who write an octet every 50 ms; each is answered or ended, others never wait."""
    filterd, _ = school
    port, wire = port_of(filterd, transport), framed(transport, query(CANARY))
    slow = [connected(port, f"127.0.12.{number + 1}", transport) for number in range(20)]
    try:
        for octet in wire[:60]:
            for sock in slow:
                with contextlib.suppress(OSError):
                    sock.send(bytes([octet]))
            time.sleep(0.05)
        assert answered(filterd, transport, "127.0.14.78")
    finally:
        for sock in slow:
            sock.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_who_reads_nothing_is_cut_or_waits_alone(
    school: tuple[RunningFilterd, int], transport: str
) -> None:
    """Questions without end and no reading: the memory held for it is bounded."""
    filterd, _ = school
    before = resident_mib(filterd.process.pid)  # type: ignore[union-attr]
    block = framed(transport, *[query(f"new{n}.read.example", 16) for n in range(200)])
    greedy = [connected(port_of(filterd, transport), f"127.0.12.{n + 1}", transport)
              for n in range(4)]  # fmt: skip
    try:
        for sock in greedy:
            sock.settimeout(0.5)
            with contextlib.suppress(OSError):
                for _ in range(200):
                    sock.sendall(block)
        assert answered(filterd, transport, "127.0.14.79")
        grown = resident_mib(filterd.process.pid) - before  # type: ignore[union-attr]
    finally:
        for sock in greedy:
            sock.close()
    print(f"{transport}: {grown:.1f} MiB more")
    assert grown < 30


@pytest.mark.parametrize("transport", ["tcp", "dot"])
def test_a_pipeline_is_answered_out_of_order(
    school: tuple[RunningFilterd, int], transport: str
) -> None:
    """Behind a question that waits for an upstream, others on the same connection do not wait."""
    filterd, _ = school
    # names of its own: what failed is known for some seconds and would be answered at once
    wires = [query(f"dead1.{transport}.pipe.example", ident=0)]
    wires += [query(f"other{n}.{transport}.pipe.example", ident=n) for n in range(1, 6)]
    seen: list[int] = []
    with connected(port_of(filterd, transport), "127.0.14.80", transport) as sock:
        sock.sendall(frames(wires))
        while len(seen) < 6 and (reply := read_frame(sock)) is not None:
            seen.append(int.from_bytes(reply[:2], "big"))
    assert sorted(seen) == [0, 1, 2, 3, 4, 5]
    assert seen[-1] == 0


def unharmed(before: Stream, meanwhile: Stream) -> bool:
    """Nothing lost, and no answer so late that a pupil would see it, on a busy machine too."""
    assert meanwhile.lost <= len(meanwhile.times) // 500
    return meanwhile.p99_ms < 5 * before.p99_ms + 100
