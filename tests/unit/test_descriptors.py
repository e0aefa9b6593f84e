"""The kernel's table of descriptors is as large as it becomes before a worker answers anybody."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, resource, sys
from pathlib import Path
from filterd import descriptors

def slots():
    return int(Path("/proc/self/status").read_text().partition("FDSize:")[2].split()[0])

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(int(sys.argv[1]), hard), hard))
descriptors.make_room()
before, taken = slots(), os.dup(0)
opened = [os.dup(0) for _ in range(900)]
print(before, taken, slots())
"""


def _asked(limit: int) -> tuple[int, int, int]:
    """(slots after making room, the next descriptor, slots with 900 more open)"""
    call = [sys.executable, "-c", PROGRAM, str(limit)]
    said = subprocess.run(call, check=True, capture_output=True, text=True, timeout=60).stdout
    before, taken, after = map(int, said.split())
    return before, taken, after


def test_the_table_does_not_grow_while_sockets_are_opened() -> None:
    before, taken, after = _asked(16_384)
    assert before == after >= 1024
    assert taken < 20, "the descriptor that made the room was not closed"


def test_a_small_limit_is_kept() -> None:
    before, taken, after = _asked(1024)
    assert before == after == 1024
    assert taken < 20
