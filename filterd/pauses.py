"""What could stop a worker for longer than a question should wait: the collector, threads, and the
supervisor on the same core.

Knows nothing of what is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import platform
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

_SWEEP_TICKS = 300
_BEHIND = 10
_SHORT_NS = 100_000
# sched_setattr(2), which the C library of Debian does not wrap
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274}.get(platform.machine())
_SCHED_ATTR = struct.Struct("=IIQiIQQQ")


def quiet() -> None:
    """Keep pauses under a millisecond: of the collector and of a thread that reads a policy.

    A young collection looks at 2,000 objects (0.1 ms), the next at 10,000; old ones, a cache of
    hundreds of thousands, only when nobody asks (`Sweeper`). A thread gives the interpreter back
    after 0.5 ms instead of 5.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 5, 1_000_000)
    sys.setswitchinterval(0.0005)


def short_turns() -> None:
    """Ask the kernel for turns of 0.1 ms, the shortest it knows: who wants less at a time is let in
    sooner beside whoever computes on the same core. From Linux 6.12 on (`sched_runtime` of a
    SCHED_OTHER task is its slice, sched_setattr(2)); an older kernel does not look at it."""
    if _SCHED_SETATTR is not None:
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        wanted = _SCHED_ATTR.pack(_SCHED_ATTR.size, os.SCHED_OTHER, 0, nice, 0, _SHORT_NS, 0, 0)
        ctypes.CDLL(None).syscall(_SCHED_SETATTR, 0, wanted, 0)


def behind() -> ThreadPoolExecutor:
    """Threads that let those who answer go first, for the supervisor: it reads policies, judges
    expectations and opens lists on the cores of its workers. A process started in one of them stays
    behind too."""
    return ThreadPoolExecutor(thread_name_prefix="behind", initializer=_let_others_first)


def _let_others_first() -> None:
    with contextlib.suppress(OSError):
        nice = os.getpriority(os.PRIO_PROCESS, os.getpid()) + _BEHIND
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)


async def in_turns(step: Callable[[], bool]) -> None:
    """`step` until it has no more to do, with everyone else's turn in between."""
    more = step()
    while more:
        await asyncio.sleep(0)
        more = step()


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """No collection meanwhile, for a second at most. What was made stays: it is set aside for the
    `Sweeper`, since looking at 100,000 verdicts at the end would take 10 ms."""
    gc.collect(1)  # what is already garbage is not set aside
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Sweeper:
    """Runs full collections, which stop everything for tens of milliseconds, while nobody asks."""

    def __init__(self) -> None:
        self._ticks = self._answered = 0
        self._at = _SWEEP_TICKS

    def tick(self, answered: int) -> None:
        """Once a second; `answered` is how many were answered so far."""
        self._ticks += 1
        idle, self._answered = answered == self._answered, answered
        if idle and self._ticks >= self._at:
            self._at = self._ticks + _SWEEP_TICKS
            gc.unfreeze()
            gc.collect()
            gc.freeze()
