"""What one client may hold of a server over TCP, and whether others notice."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.lab.packets import SOURCE, frames, query, read_frame, tcp_ask, udp_ask

OTHER = "127.0.14.9"
IDLE = 1500


@dataclass(frozen=True, slots=True)
class Served:
    """How others fared meanwhile: UDP answers of 200 with their p99, and a new TCP client."""

    udp_answered: int
    udp_p99_ms: float
    tcp: bool


@contextlib.contextmanager
def idle_connections(port: int, count: int, sources: Sequence[str]) -> Iterator[int]:
    """Open so many connections that say nothing, spread over sources; yields how many opened."""
    with contextlib.ExitStack() as on:
        opened = failed = 0
        for number in range(count):
            if failed > 10:
                break  # the queue of the server is full: it takes no more
            failed += 1
            sock = on.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            sock.bind((sources[number % len(sources)], 0))
            sock.settimeout(0.5)
            with contextlib.suppress(OSError):
                sock.connect(("127.0.0.1", port))
                opened, failed = opened + 1, 0
        yield opened


def others(port: int, name: str) -> Served:
    """Ask as somebody else, over UDP and over one new TCP connection."""
    times = []
    for number in range(200):
        began = time.perf_counter()
        if udp_ask(port, query(name, ident=number), 1.0, OTHER) is not None:
            times.append(time.perf_counter() - began)
    times.sort()
    p99 = 1000 * times[int(len(times) * 0.99) - 1] if times else float("inf")
    return Served(len(times), p99, tcp_ask(port, query(name), 3.0, OTHER) is not None)


def closed_after(port: int, sent: bytes, most: float = 40.0) -> float | None:
    """Seconds until the server ends a connection on which just this was sent; None: not yet."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((SOURCE, 0))
        sock.settimeout(most)
        sock.connect(("127.0.0.1", port))
        began = time.monotonic()
        if sent:
            sock.sendall(sent)
        try:
            while sock.recv(4096):
                pass
        except TimeoutError:
            return None
        except OSError:
            pass
        return time.monotonic() - began


def half_message() -> bytes:
    """A frame of which the second half never comes."""
    wire = frames([query("www.lab.example")])
    return wire[: len(wire) // 2]


def order_of(port: int, slow: str, fast: Sequence[str]) -> list[int]:
    """The order of answers to a slow and some fast questions in one pipeline: 0 is the slow one."""
    wires = [query(name, ident=number) for number, name in enumerate([slow, *fast])]
    found: list[int] = []
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((SOURCE, 0))
        sock.settimeout(4)
        sock.connect(("127.0.0.1", port))
        sock.sendall(frames(wires))
        with contextlib.suppress(OSError):
            while len(found) < len(wires) and (reply := read_frame(sock)) is not None:
                found.append(struct.unpack_from("!H", reply)[0])
    return found
