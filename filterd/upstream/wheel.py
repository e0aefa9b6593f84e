"""Deadlines of exchanges in slots of 10 ms: one timer of the loop for all of them.

A deadline is met up to 10 ms late and costs a list entry; what ended before is not taken out but
finds nothing to do when its slot comes. Knows no exchange.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

SLOTS_PER_SECOND = 100
_SLICE_SECONDS = 0.002
_log = logging.getLogger("filterd.upstream")


class Timed(Protocol):
    """Whoever waits."""

    def due(self, now: float) -> None:
        """A time it once asked for has come; it may have ended or have a later one by now."""


class Wheel:
    """Deadlines in loop time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._slots: dict[int, list[Timed]] = {}
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None
        self.between: Callable[[], None] = lambda: None
        """Called after each deadline: others may look after what cannot wait."""

    def add(self, when: float, timed: Timed) -> None:
        """Call `timed.due` at `when` or up to 10 ms after."""
        slot = int(when * SLOTS_PER_SECOND) + 1
        waiting = self._slots.get(slot)
        if waiting is not None:
            waiting.append(timed)
            return
        self._slots[slot] = [timed]
        if self._timer is None or slot < self._next:
            self._arm(slot)

    def close(self) -> None:
        """Forget everything."""
        self._slots.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self, slot: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = slot
        self._timer = self._loop.call_at(slot / SLOTS_PER_SECOND, self._turn)

    def _turn(self) -> None:
        self._timer = None
        now = self._loop.time()
        reached = int(now * SLOTS_PER_SECOND)
        for slot in sorted(slot for slot in self._slots if slot <= reached):
            if self._loop.time() > now + _SLICE_SECONDS:
                break  # clients get their turn; the timer of what is left is due at once
            for timed in self._slots.pop(slot):
                try:
                    timed.due(now)
                except Exception:  # whoever breaks, the others must not wait for ever
                    _log.exception("a deadline broke")
                self.between()
        if self._slots:
            # whoever was called may have armed it already
            self._arm(min(self._slots))
