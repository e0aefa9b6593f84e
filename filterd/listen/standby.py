"""The wait of a worker's event loop: what needs no Python is answered in the middle of it.

A turn of asyncio costs more than the answer to a question that the memo knows, and at a school's
load nearly every question wakes the loop by itself. So the native part waits in the loop's place:
it serves the sockets it can and comes back when Python has something to do. Where nothing is
compiled the loop waits by itself and calls for everything. Knows no message.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Protocol

from filterd.listen.drain import BATCHES, COMPILED

if COMPILED:
    from filterd.listen import _native


class Watched(Protocol):
    """A `Drain` or a `Forward`."""

    def fileno(self) -> int:
        """Readable when it has something to do."""


class Readers:
    """Who is called when a drain or a forward has something for Python: by the loop itself."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def add(self, watched: Watched, call: Callable[[], None]) -> None:
        """Call when there is something to do; `call` runs it."""
        self._loop.add_reader(watched.fileno(), call)

    def remove(self, watched: Watched) -> None:
        """Call no more."""
        self._loop.remove_reader(watched.fileno())


class StandbyLoop(asyncio.SelectorEventLoop):
    """The loop of a worker."""

    def __init__(self) -> None:
        waiting = _Waiting() if COMPILED else None
        super().__init__(waiting)
        self.readers = Readers(self) if waiting is None else _Standby(self, waiting)


def readers(loop: asyncio.AbstractEventLoop) -> Readers:
    """Those of this loop, native if it can stand by."""
    return loop.readers if isinstance(loop, StandbyLoop) else Readers(loop)


class _Waiting(selectors.EpollSelector):
    """An epoll beside the loop's own, which is one of those it waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.standby = _native.Standby(self.fileno(), BATCHES)
        self.left: Callable[[object], None] = lambda watched: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self.standby.wait(-1.0 if timeout is None else max(timeout, 0.0))
        own = False
        for watched in ready:
            if watched is None:
                own = True
            else:
                self.left(watched)
        return super().select(0) if own else []


class _Standby(Readers):
    def __init__(self, loop: asyncio.AbstractEventLoop, waiting: _Waiting) -> None:
        super().__init__(loop)
        self._calls: dict[object, Callable[[], None]] = {}
        self._waiting = waiting
        waiting.left = self._left

    def add(self, watched: Watched, call: Callable[[], None]) -> None:
        self._waiting.standby.add(watched)
        self._calls[watched] = call

    def remove(self, watched: Watched) -> None:
        if self._calls.pop(watched, None) is not None:
            self._waiting.standby.remove(watched)

    def _left(self, watched: object) -> None:
        self._loop.call_soon(self._call, watched)

    def _call(self, watched: object) -> None:
        call = self._calls.get(watched)
        if call is not None:  # removed while it was waited for
            call()
