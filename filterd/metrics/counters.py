"""Integers in shared memory: one worker writes a run, the supervisor reads them all.

Owns the file `run/counters`. A reader needs no lock: an aligned 64-bit store is seen whole.
Knows nothing of what is counted; `layout` does.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from pathlib import Path

from filterd.metrics import layout


def create(path: Path, workers: int) -> None:
    """A file of zeros for `workers` runs; an existing one of that size keeps its counts."""
    size = layout.RUN_BYTES * workers
    if path.exists() and path.stat().st_size == size:
        return
    path.write_bytes(bytes(size))


class Counters:
    """One worker's run. `values` is the run itself: `values[place] += 1` is the hot path."""

    __slots__ = ("_map", "values")

    def __init__(self, memory: mmap.mmap, slot: int = 0) -> None:
        self._map = memory
        start = slot * layout.RUN_BYTES
        self.values = memoryview(memory)[start : start + layout.RUN_BYTES].cast("Q")

    @classmethod
    def open(cls, path: Path, slot: int) -> Counters:
        """The run of worker `slot` in an existing file."""
        descriptor = os.open(path, os.O_RDWR)
        try:
            return cls(mmap.mmap(descriptor, 0), slot)
        finally:
            os.close(descriptor)

    @classmethod
    def private(cls) -> Counters:
        """A run that no one else sees (tests, offline commands)."""
        return cls(mmap.mmap(-1, layout.RUN_BYTES))

    def add(self, place: int, amount: int = 1) -> None:
        """Count; saturates nowhere, 2**64 is out of reach."""
        self.values[place] += amount

    def set(self, place: int, value: int) -> None:
        """Write a gauge."""
        self.values[place] = max(0, value)

    def observe(self, seconds: float, queries: int = 1) -> None:
        """`queries` answers took at most `seconds` each."""
        self.values[layout.DURATION_AT + bisect_left(layout.BUCKETS, seconds)] += queries
        self.values[_DURATION_SUM] += int(seconds * 1e6) * queries


def total(path: Path) -> list[int]:
    """Sum of all runs, place by place."""
    whole = memoryview(path.read_bytes()).cast("Q")
    width = layout.RUN_BYTES // 8
    runs = [whole[start : start + layout.PLACES] for start in range(0, len(whole), width)]
    return [sum(place) for place in zip(*runs, strict=True)]


_DURATION_SUM = layout.single_place("duration_microseconds")
