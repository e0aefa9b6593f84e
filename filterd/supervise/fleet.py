"""All workers together: started, told, counted and stopped as one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from filterd import tasks
from filterd.supervise.worker import Plan, WorkerSlot


@dataclass(frozen=True, slots=True)
class WorkerState:
    """How one worker is: `lag` is the lag of its loop in seconds, None while it starts."""

    number: int
    pid: int | None
    alive: bool
    lag: float | None
    restarts: int


class Fleet:
    """The workers. `changed` is called whenever one becomes ready or ceases to be."""

    def __init__(self, count: int, plan: Plan, changed: Callable[[], None] = lambda: None) -> None:
        self._slots = [WorkerSlot(number, plan, changed) for number in range(count)]
        self._keepers: list[asyncio.Task[Any]] = []

    async def launch(self, seconds: float = 5.0) -> None:
        """Start every process; once they are under way the caller's own work runs beside theirs."""
        if self._keepers:
            return
        self._keepers = [tasks.spawn(s.keep(), f"worker-{s.number}") for s in self._slots]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(slot.wait_launched() for slot in self._slots))

    async def start(self, seconds: float = 30.0) -> None:
        """Start every worker and wait for the first that decides; TimeoutError if none does."""
        await self.launch()
        waits = [tasks.spawn(s.wait_ready(), f"ready-{s.number}") for s in self._slots]
        done, rest = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in rest:
            wait.cancel()
        if not done:
            raise TimeoutError("no worker became ready")

    async def tell(self, frame: dict[str, Any], seconds: float = 5.0) -> list[dict[str, Any]]:
        """Pass a frame to all workers at once; the answers of those that took it."""
        answers = await asyncio.gather(*(slot.tell(frame, seconds) for slot in self._slots))
        return [answer for answer in answers if answer is not None]

    async def stop(self) -> None:
        """Stop every worker and wait until all are gone."""
        await asyncio.gather(*(slot.stop() for slot in self._slots))
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    @property
    def ready(self) -> int:
        """How many workers decide questions now."""
        return sum(slot.ready for slot in self._slots)

    @property
    def restarts(self) -> int:
        """How many workers were replaced since the start."""
        return sum(slot.restarts for slot in self._slots)

    def states(self) -> tuple[WorkerState, ...]:
        """How each worker is now."""
        return tuple(
            WorkerState(
                slot.number, slot.pid, slot.ready, _lag(slot, time.monotonic()), slot.restarts
            )
            for slot in self._slots
        )


def _lag(slot: WorkerSlot, now: float) -> float | None:
    """The lag it told of, or how long its beat is overdue, whichever is worse."""
    if slot.link is None:
        return None
    return max(slot.link.lag, now - slot.link.last_beat - 1.0)
