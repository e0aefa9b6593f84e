"""What the kernel says of a process and of all that it started."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """The process and everything that it started."""
    found = [pid]
    for one in found:
        for folder in Path(f"/proc/{one}/task").glob("*"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in (folder / "children").read_text().split()]
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU seconds that the processes' threads had so far, from the scheduler's accounting."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def resident_mib(pid: int) -> float:
    """Resident memory of a process and of all that it started."""
    total = 0
    for one in descendants(pid):
        with contextlib.suppress(OSError, IndexError):
            status = Path(f"/proc/{one}/status").read_text()
            total += int(status.partition("VmRSS:")[2].split()[0])
    return total / 1024
