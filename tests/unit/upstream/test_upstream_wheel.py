"""Deadlines in slots: met, in order, once, and never early."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.upstream.wheel import Wheel


class Waiting:
    def __init__(self, wheel: Wheel, wait: float, again: float = 0.0) -> None:
        self._wheel = wheel
        self._again = again
        self.wanted = asyncio.get_running_loop().time() + wait
        self.called: list[float] = []
        wheel.add(self.wanted, self)

    def due(self, now: float) -> None:
        self.called.append(now)
        if self._again:
            self._wheel.add(now + self._again, self)
            self._again = 0.0


async def until(waiting: list[Waiting], calls: int) -> None:
    async with asyncio.timeout(5):
        while sum(len(each.called) for each in waiting) < calls:
            await asyncio.sleep(0.002)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(-0.01, 0.08), min_size=1, max_size=20))
def test_each_is_called_once_and_not_before_its_time(waits: list[float]) -> None:
    async def run() -> None:
        wheel = Wheel()
        waiting = [Waiting(wheel, wait) for wait in waits]
        await until(waiting, len(waits))
        assert all(len(each.called) == 1 for each in waiting)
        assert all(each.called[0] > each.wanted - 0.001 for each in waiting)
        wheel.close()

    asyncio.run(run())


async def test_an_earlier_time_added_later_is_met_first() -> None:
    wheel = Wheel()
    late, early = Waiting(wheel, 0.2), Waiting(wheel, 0.01)
    await until([early], 1)
    assert not late.called
    await until([late], 1)
    wheel.close()


async def test_who_asks_again_while_it_is_called_is_called_again() -> None:
    wheel = Wheel()
    waiting = Waiting(wheel, 0.01, again=0.03)
    await until([waiting], 2)
    assert waiting.called[1] - waiting.called[0] >= 0.029
    wheel.close()


async def test_nothing_is_called_after_close() -> None:
    wheel = Wheel()
    waiting = Waiting(wheel, 0.01)
    wheel.close()
    await asyncio.sleep(0.04)
    assert not waiting.called
