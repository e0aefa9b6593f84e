"""The collector waits for quiet times, and long work leaves everyone else his turn."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
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
    assert await asyncio.to_thread(priorities) == (10, 10)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before < 10


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
