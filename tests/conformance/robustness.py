"""Hostile octets beside a stream of good questions: does the server live, do others notice?"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

from tests.conformance.beside import Stream, good_questions
from tests.lab.malformed import messages

__all__ = ["Stream", "good_questions", "pelt", "pelt_apart"]

BAD_SOURCE = "127.0.14.66"


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
