"""Visitors of the pages who never finish: everybody else sees them as ever."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator

import pytest

from tests.lab.running import RunningFilterd, free_ports, until

HEAD = b"GET / HTTP/1.1\r\nHost: school.example\r\n"
POST = b"POST /yeu-cau HTTP/1.1\r\nHost: school.example\r\nContent-Length: 60000\r\n\r\n"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """The ports of console and portal."""
    console, portal = free_ports(2)
    made = RunningFilterd(
        tmp_path_factory.mktemp("pages"),
        {"workers": 1, "console": f"127.0.0.1:{console}", "portal": f"127.0.0.1:{portal}"},
    )
    try:
        made.start()
        found = {"console": console, "portal": portal}
        for port in found.values():
            until(lambda port=port: status(port) == 200, 60, "the pages")
        yield found
    finally:
        made.stop()


def status(port: int, path: str = "/", source: str = "127.0.14.5") -> int | None:
    """What a visitor gets within five seconds, redirections followed."""
    for _ in range(3):
        connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=5, source_address=(source, 0)
        )
        with contextlib.closing(connection):
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException):
                return None
            if not (path := answer.headers.get("Location", "")):
                return answer.status
    return None


@contextlib.contextmanager
def begun(
    port: int, octets: bytes, sources: list[str], count: int
) -> Iterator[list[socket.socket]]:
    """So many connections that have sent this."""
    with contextlib.ExitStack() as on:
        held = []
        for number in range(count):
            sock = on.enter_context(socket.socket())
            sock.bind((sources[number % len(sources)], 0))
            sock.settimeout(5)
            sock.connect(("127.0.0.1", port))
            with contextlib.suppress(OSError):
                sock.sendall(octets)
            held.append(sock)
        yield held


def trickle(held: list[socket.socket], octets: bytes) -> int:
    """A little more on each; how many of them are still open."""
    still = 0
    for sock in held:
        with contextlib.suppress(OSError):
            still += bool(sock.send(octets))
    return still


@pytest.mark.parametrize("page", ["console", "portal"])
@pytest.mark.parametrize("sent", [HEAD, POST], ids=["headers", "body"])
@pytest.mark.parametrize("clients", [1, 60], ids=["one client", "sixty clients"])
def test_requests_that_never_end(
    pages: dict[str, int], page: str, sent: bytes, clients: int
) -> None:
    """Four hundred of them, kept alive with an octet now and then."""
    sources = [f"127.0.12.{number + 1}" for number in range(clients)]
    with begun(pages[page], sent, sources, 400) as held:
        for _ in range(3):
            trickle(held, b"x")
            assert status(pages[page]) == 200
            time.sleep(0.2)
        until(lambda: trickle(held, b"x") <= 210, 10, "room for others")


@pytest.mark.slow
def test_a_request_that_is_not_whole_in_time_is_ended(pages: dict[str, int]) -> None:
    with begun(pages["portal"], HEAD, ["127.0.12.99"], 1) as held:
        until(lambda: time.sleep(0.5) or not trickle(held, b"x"), 60, "the end of a slow request")
        assert status(pages["portal"], source="127.0.12.99") == 200


def test_a_class_behind_one_address_is_served(pages: dict[str, int]) -> None:
    """Connections that a browser keeps open end before anybody is refused."""
    with begun(pages["portal"], HEAD + b"\r\n", ["127.0.12.98"], 60):
        assert status(pages["portal"], source="127.0.12.98") == 200
    assert all(status(pages["portal"], source="127.0.12.98") == 200 for _ in range(20))


def test_a_body_of_two_gigabytes_is_refused_at_its_length(pages: dict[str, int]) -> None:
    head = POST.replace(b"60000", b"2147483648")
    for port in pages.values():
        with begun(port, head, ["127.0.12.97"], 1) as held:
            assert b" 413 " in held[0].recv(4096).split(b"\r\n")[0]
        assert status(port) == 200


def test_a_million_fields_are_refused_and_cost_nobody_anything(pages: dict[str, int]) -> None:
    fields = b"&".join(b"a=" for _ in range(1_000_000))
    head = POST.replace(b"60000", str(len(fields)).encode())
    head = head.replace(b"\r\n\r\n", b"\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n")
    for port in pages.values():
        with begun(port, head + fields, ["127.0.12.96"], 1) as held:
            assert status(port) == 200
            held[0].settimeout(20)
            assert held[0].recv(4096)[9:10] == b"4"
