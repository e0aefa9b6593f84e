"""The collector waits for quiet times, and long work leaves everyone else his turn."""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator

import pytest

from filterd.pauses import Sweeper, behind, in_turns, uncollected


class Node:
    """Something in a cycle with itself."""

    def __init__(self) -> None:
        self.self = self


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    yield
    gc.enable()
    gc.unfreeze()
    gc.collect()


def test_nothing_is_collected_meanwhile_and_the_sweeper_comes_to_it_when_nobody_asks() -> None:
    with uncollected():
        assert not gc.isenabled()
        gone = weakref.ref(Node())
    assert gc.isenabled()
    gc.collect()
    assert gone() is not None, "it is set aside: nobody's question waits for it"
    sweeper = Sweeper()
    for tick in range(400):
        sweeper.tick(tick)
    assert gone() is not None, "somebody asks"
    sweeper.tick(399)
    assert gone() is None


def test_the_collector_is_back_after_a_failure() -> None:
    with pytest.raises(ValueError, match="no"), uncollected():
        raise ValueError("no")
    assert gc.isenabled()


async def test_the_supervisors_threads_let_workers_go_first() -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(behind())

    def priorities() -> tuple[int, int]:
        child = subprocess.run(["nice"], capture_output=True, text=True, check=True)
        mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        return mine, int(child.stdout)

    before = os.getpriority(os.PRIO_PROCESS, 0)
    behind_us = min(before + 10, 19)
    assert await asyncio.to_thread(priorities) == (behind_us, behind_us)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before


async def test_others_have_their_turn_between_two_steps() -> None:
    seen: list[str] = []

    def step() -> bool:
        seen.append("step")
        return seen.count("step") < 3

    async def other() -> None:
        for _ in range(3):
            seen.append("other")
            await asyncio.sleep(0)

    await asyncio.gather(in_turns(step), other())
    assert seen == ["step", "other"] * 3


SLICE = """
import ctypes, os, struct
from filterd import pauses

def slice_ns():
    numbers = {"x86_64": 315, "aarch64": 275, "riscv64": 275}
    attributes = ctypes.create_string_buffer(48)
    call = ctypes.CDLL(None).syscall
    assert call(numbers[os.uname().machine], 0, attributes, len(attributes), 0) == 0
    return struct.unpack("=IIQiIQQQ", attributes.raw)[5]

os.nice(3)
before = slice_ns()
pauses.short_turns()
print(before, slice_ns(), os.nice(0))
"""


@pytest.mark.skipif(
    tuple(map(int, platform.release().split(".")[:2])) < (6, 12),
    reason="Linux before 6.12 gives all the same slice",
)
def test_a_worker_asks_for_short_turns_and_keeps_its_place() -> None:
    call = [sys.executable, "-c", SLICE]
    said = subprocess.run(call, check=True, capture_output=True, text=True, timeout=60).stdout
    before, after, nice = map(int, said.split())
    assert before > after == 100_000
    assert nice >= 3
