"""Floods of one client beside a stream of good questions of another; the child is the flooder.

`silent`: random names below a zone that no server answers for · `referrals`: random names answered
with a referral to 34 servers without addresses (the shape of NXNSAttack) · the burst of DNSBomb:
questions whose answers are held back and then come at once.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.beside import Stream, good_questions
from tests.lab.packets import Opt, query
from tests.lab.quick_upstream import QuickUpstream

ROOT = Path(__file__).parents[2]
FLOODER = "127.0.12.66"
NAMES = {"silent": "dead{n}.water.example", "referrals": "referral{n}.delegated.example"}
CACHED, FRESH = "popular.example", "new{n}.lesson.example"
RATE, SECONDS = 2000.0, 2.5
HELD = 1000
WINDOW_SECONDS = 0.01
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE = 35, 33


@dataclass(frozen=True, slots=True)
class Beside:
    """What others noticed of a flood: cached answers, and names never asked before; `ratio` is
    upstream questions for each of the flood's."""

    cached: Stream
    fresh: Stream
    ratio: float


def beside(port: int, upstream: QuickUpstream, kind: str) -> Beside:
    """Both streams while one client floods."""
    label = "dead" if kind == "silent" else "referral"
    counted = upstream.counts().get(label, 0)
    with good_questions(port, CACHED, 500) as cached, good_questions(port, FRESH, 50) as fresh:
        sent = flood(port, kind)
    asked = upstream.counts().get(label, 0) - counted
    return Beside(cached, fresh, asked / sent)


def flood(port: int, kind: str) -> int:
    """Run the flooder; how many questions it sent."""
    call = [sys.executable, "-m", "tests.conformance.floods", str(port), kind]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return int(done.stdout)


def burst_octets(port: int, upstream: QuickUpstream) -> tuple[int, int]:
    """(most octets that reach one address within 10 ms, answers it got in all) when the answers to
    a thousand of its questions come at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 16 << 20)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.bind((FLOODER, 0))
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        for number in range(HELD):
            opt = Opt(1232)
            sock.send(query(f"held{number}.bomb.example", 16, opt=opt, ident=number))
            if number % 50 == 49:
                time.sleep(0.01)
        time.sleep(0.3)
        _arrivals(sock, 0.1)
        upstream.release()
        return _most(arrived := _arrivals(sock, 1.5)), len(arrived)


def _arrivals(sock: socket.socket, seconds: float) -> list[tuple[float, int]]:
    """(kernel's time, octets) of what comes."""
    found, until = [], time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if select.select([sock], [], [], left)[0]:
            with contextlib.suppress(BlockingIOError):
                while True:
                    wire, control, _, _ = sock.recvmsg(4096, 64)
                    second, nanosecond = struct.unpack("qq", control[0][2])
                    found.append((second + nanosecond / 1e9, len(wire)))
    return found


def _most(arrived: list[tuple[float, int]]) -> int:
    most = held = first = 0
    for at, size in arrived:
        held += size
        while at - arrived[first][0] > WINDOW_SECONDS:
            held -= arrived[first][1]
            first += 1
        most = max(most, held)
    return most


def main() -> int:
    """Flood evenly, reading nothing."""
    port, name = int(sys.argv[1]), NAMES[sys.argv[2]]
    sent, began = 0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((FLOODER, 0))
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        while (passed := time.monotonic() - began) < SECONDS:
            while sent < passed * RATE:
                sent += 1
                text = name.replace("{n}", f"{sent * 2654435761 % 2**32:x}")
                with contextlib.suppress(OSError):
                    sock.send(query(text, ident=sent & 0xFFFF))
            time.sleep(0.002)
    print(sent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
