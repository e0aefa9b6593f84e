"""An upstream for floods: raw octets in and out, in a process of its own, some 10 µs a question.

By the first label of the name: `dead…` no answer · `referral…` a referral to 34 name servers
without addresses · `held…` TXT of 1,000 octets, when `release` is called · anything else: A
192.0.2.1, and nothing for other types. UDP alone.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
_KINDS = (b"dead", b"referral", b"held")
_TEXT = b"\xc0\x0c\0\x10\0\1" + struct.pack("!IH", 60, 1000) + 4 * (b"\xf9" + b"x" * 249)
_REFERRAL = b"".join(
    b"\xc0\x0c\0\2\0\1" + struct.pack("!IH", 60, len(name)) + name
    for name in (b"\4n%03d\6victim\7example\0" % number for number in range(34))
)


class QuickUpstream:
    """The running child."""

    def __init__(self, child: subprocess.Popen[str], port: int) -> None:
        self._child = child
        self.port = port

    @property
    def url(self) -> str:
        return f"udp://127.0.0.1:{self.port}"

    def counts(self) -> dict[str, int]:
        """How many questions came, by kind (`dead`, `referral`, `held`, `other`)."""
        return dict(self._say("counts"))

    def release(self) -> int:
        """Answer everything that is held, at once; how much that was."""
        return int(self._say("release"))

    def _say(self, what: str) -> Any:
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.write(what + "\n")
        self._child.stdin.flush()
        return json.loads(self._child.stdout.readline())


@contextlib.contextmanager
def quick_upstream() -> Iterator[QuickUpstream]:
    """One on a free port of 127.0.0.1."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.lab.quick_upstream"], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert child.stdout is not None
        yield QuickUpstream(child, int(child.stdout.readline()))
    finally:
        child.kill()
        child.wait(10)
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _reply(query: bytes, records: bytes, answers: int, authorities: int) -> bytes:
    end = query.index(b"\0", 12) + 5
    opt = query[11] and _OPT
    head = query[:2] + struct.pack("!5H", 0x8180, 1, answers, authorities, bool(opt))
    return head + query[12:end] + records + (opt or b"")


class Serving:
    """The child's side."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.counts: Counter[str] = Counter()
        self.held: list[tuple[bytes, Any]] = []

    def take(self) -> None:
        """Answer what waits in the socket; what cannot be read is not answered."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(500):
                query, peer = self.sock.recvfrom(4096)
                with contextlib.suppress(ValueError, IndexError):
                    self._answer(query, peer)

    def _answer(self, query: bytes, peer: Any) -> None:
        label = query[13 : 13 + query[12]].lower()
        kind = next((each for each in _KINDS if label.startswith(each)), b"other")
        self.counts[kind.decode()] += 1
        if kind == b"held":
            self.held.append((_reply(query, _TEXT, 1, 0), peer))
        elif kind == b"referral":
            self.sock.sendto(_reply(query, _REFERRAL, 0, 34), peer)
        elif kind == b"other":
            is_a = query[query.index(b"\0", 12) + 1 :][:2] == b"\0\1"
            record = b"\xc0\x0c\0\1\0\1" + struct.pack("!IH4B", 300, 4, 192, 0, 2, 1)
            reply = _reply(query, record, 1, 0) if is_a else _reply(query, b"", 0, 0)
            self.sock.sendto(reply, peer)

    def release(self) -> int:
        held, self.held = self.held, []
        for wire, peer in held:
            with contextlib.suppress(OSError):
                self.sock.sendto(wire, peer)
        return len(held)


def main() -> int:
    """Serve until the standard input ends."""
    serving = Serving()
    print(serving.sock.getsockname()[1], flush=True)
    while True:
        ready, _, _ = select.select([serving.sock, sys.stdin], [], [])
        if serving.sock in ready:
            serving.take()
        if sys.stdin in ready:
            asked = sys.stdin.readline().strip()
            if not asked:
                return 0
            print(json.dumps(serving.release() if asked == "release" else serving.counts))
            sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
