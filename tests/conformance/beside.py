"""A stream of good questions beside something else: `good_questions`; its child is this module.

The child asks on time whether answers came or not, and takes the kernel's time of arrival: neither
a slow answer nor its own turn on a busy processor hides or makes a delay.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.packets import query

GOOD_SOURCE = "127.0.14.20"
ROOT = Path(__file__).parents[2]
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; the socket module does not name it
_PATIENCE_SECONDS = 1.0


@dataclass(slots=True)
class Stream:
    """Answers to the good questions: their times in ms, and how many had none within a second or
    only SERVFAIL or REFUSED."""

    times: list[float] = field(default_factory=list)
    lost: int = 0

    @property
    def p99_ms(self) -> float:
        ordered = sorted(self.times)
        return ordered[int(len(ordered) * 0.99)] if ordered else float("inf")


@contextlib.contextmanager
def good_questions(port: int, name: str, rate: float = 500.0) -> Iterator[Stream]:
    """So many questions a second while the block runs; `{n}` in the name is the question's number.
    The stream is filled when the block ends."""
    stream = Stream()
    call = [sys.executable, "-m", "tests.conformance.beside", str(port), name, str(rate)]
    child = subprocess.Popen(
        call, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None and child.stdout is not None
    try:
        assert child.stdout.readline() == "asking\n"
        yield stream
        child.stdin.close()
        found = json.loads(child.stdout.read())
        stream.times, stream.lost = found["times"], found["lost"]
        assert stream.times or stream.lost
    finally:
        child.kill()
        child.wait(10)
        child.stdout.close()


class Asking:
    """Questions that are on their way, and the times of those that were answered."""

    def __init__(self, port: int, name: str) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.sock.bind((GOOD_SOURCE, 0))
        self.sock.connect(("127.0.0.1", port))
        self.sock.setblocking(False)
        self._name = name
        self._asked: dict[bytes, float] = {}
        self._number = 0
        self.times: list[float] = []
        self.refused = 0

    @property
    def waiting(self) -> int:
        return len(self._asked)

    def ask(self) -> None:
        """One more; a refused one counts as lost."""
        self._number += 1
        wire = query(self._name.replace("{n}", str(self._number)), ident=self._number & 0xFFFF)
        self._asked[wire[:2]] = time.time()
        with contextlib.suppress(OSError):
            self.sock.send(wire)

    def take(self) -> None:
        """Read what came."""
        with contextlib.suppress(OSError):
            while True:
                wire, control, _, _ = self.sock.recvmsg(4096, 64)
                seconds, nanoseconds = struct.unpack("qq", control[0][2])
                began = self._asked.pop(wire[:2], None)
                if began is not None and wire[3] & 15 in (2, 5):
                    self.refused += 1
                elif began is not None:
                    self.times.append(1000 * (seconds + nanoseconds / 1e9 - began))


def main() -> int:
    """Ask until the standard input ends, then print what came of it."""
    port, name, rate = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    asking, going = Asking(port, name), True
    print("asking", flush=True)
    due = time.monotonic()
    while going:
        now = time.monotonic()
        if now >= due:
            asking.ask()
            due = max(due + 1 / rate, now - 0.05)
        ready, _, _ = select.select([asking.sock, sys.stdin], [], [], max(0.0, due - now))
        going = sys.stdin not in ready
        asking.take()
    until = time.monotonic() + _PATIENCE_SECONDS
    while asking.waiting and time.monotonic() < until:
        select.select([asking.sock], [], [], 0.05)
        asking.take()
    print(json.dumps({"times": asking.times, "lost": asking.waiting + asking.refused}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
