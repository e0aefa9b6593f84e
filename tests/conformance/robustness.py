"""Hostile octets beside a stream of good questions: does the server live, do others notice?"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.malformed import messages
from tests.lab.packets import query

GOOD_SOURCE, BAD_SOURCE = "127.0.14.20", "127.0.14.66"


@dataclass(slots=True)
class Stream:
    """Answers to the good questions: their times in ms, and how many had none within a second."""

    times: list[float] = field(default_factory=list)
    lost: int = 0

    @property
    def p99_ms(self) -> float:
        ordered = sorted(self.times)
        return ordered[int(len(ordered) * 0.99)] if ordered else float("inf")


@contextlib.contextmanager
def good_questions(port: int, name: str, rate: float = 500.0) -> Iterator[Stream]:
    """So many questions a second, one after the other, while the block runs."""
    stream, ended = Stream(), threading.Event()

    def run() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((GOOD_SOURCE, 0))
            sock.settimeout(1.0)
            sock.connect(("127.0.0.1", port))
            number = 0
            while not ended.wait(1 / rate):
                number = number + 1 & 0xFFFF
                wire, began = query(name, ident=number), time.perf_counter()
                try:
                    sock.send(wire)
                    while sock.recv(4096)[:2] != wire[:2]:
                        pass
                except OSError:
                    stream.lost += 1
                    continue
                stream.times.append(1000 * (time.perf_counter() - began))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield stream
    finally:
        ended.set()
        thread.join()


def pelt(port: int, count: int, seed: int = 7) -> tuple[int, set[int]]:
    """Send malformed messages, as they are and as queries; what came back: number and rcodes."""
    rcodes: set[int] = set()
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((BAD_SOURCE, 0))
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        for half in (False, True):
            for wire in messages(seed + half, count // 2, replies=half):
                cleared = wire[:2] + bytes([wire[2] & 0x7F]) + wire[3:] if len(wire) > 2 else wire
                for each in {wire, cleared}:
                    with contextlib.suppress(OSError):
                        sock.send(each)
                        sent += 1
                with contextlib.suppress(OSError):
                    while reply := sock.recv(4096):
                        rcodes.add(reply[3] & 15 if len(reply) > 3 else -1)
    return sent, rcodes


def pelt_apart(port: int, count: int) -> None:
    """The same in a process of its own, so that it slows only the server down."""
    call = f"from tests.conformance.robustness import pelt; pelt({port}, {count})"
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", call], check=True, timeout=120, cwd=root)


def resident_mib(pid: int) -> float:
    """Resident memory of a process and its children."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if pid in (parent, int(folder.name)):
                line = (folder / "status").read_text().partition("VmRSS:")[2].split()[0]
                total += int(line)
    return total / 1024
