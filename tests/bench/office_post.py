"""Posts summaries that were signed before, as fast as they are taken, in a process of its own.

Each line is one kept connection over which some schools' days go in their order; requests are laid
out whole before the clock starts, so that what is measured is the office and not this.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

HEAD = (
    b"POST /api/v1/summaries HTTP/1.1\r\nHost: office\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n"
)
TAKEN = b"HTTP/1.1 201 "


@dataclass
class _Line:
    socket: socket.socket
    requests: Iterator[bytes]
    got: bytes = b""

    def next(self) -> bool:
        """Send the next one; False: there is none left."""
        request = next(self.requests, None)
        if request is None:
            return False
        self.socket.sendall(request)
        return True


def post_all(lines: list[tuple[int, list[list[bytes]]]], barrier: Any, said: Any) -> None:
    """Post each line's days; puts (taken, seconds of CPU)."""
    laid_out = [
        (port, [HEAD % len(day) + day for box in boxes for day in box]) for port, boxes in lines
    ]
    chosen = selectors.DefaultSelector()
    opened = []
    for port, requests in laid_out:
        line = _Line(socket.create_connection(("127.0.0.1", port), 60), iter(requests))
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        chosen.register(line.socket, selectors.EVENT_READ, line)
        opened.append(line)
    barrier.wait(300)
    begun, taken = time.process_time(), 0
    left = sum(line.next() for line in opened)
    while left:
        for key, _ in chosen.select(60) or _nobody_answers():
            line = key.data
            line.got += line.socket.recv(65536)
            if not _whole(line.got):
                continue
            assert line.got.startswith(TAKEN), line.got[:600]
            taken, line.got = taken + 1, b""
            if not line.next():
                left -= 1
    said.put((taken, time.process_time() - begun))
    for line in opened:
        line.socket.close()


def _whole(got: bytes) -> bool:
    """The answer has come to its end (RFC 9112 §6.2; the office always says its length)."""
    head, end, body = got.partition(b"\r\n\r\n")
    if not end:
        return False
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
    return len(body) >= int(length)


def _nobody_answers() -> Any:
    raise AssertionError("the office answered nothing for a minute")
