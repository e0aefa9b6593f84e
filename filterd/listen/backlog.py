"""Queries that wait for the handler's time, kept fair: one in turn from each source.

Who floods waits behind himself alone, and has at most his share of what may wait. Knows no
message and no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from filterd.listen.drain import Waiting

MOST = 2048
"""What may wait; at 0.2 ms each that is 0.4 s of work."""
FEW = 16
"""What every source may have waiting, however many sources there are."""


class Backlog:
    """A queue for each source, served in turn; at most `most` and, of many sources, twice that."""

    __slots__ = ("_most", "_queues", "_size")

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._queues: dict[bytes, deque[Waiting]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, arrived: Iterable[Waiting]) -> int:
        """Take in what arrived; returns how many were over their source's share and are lost."""
        lost, queues = 0, self._queues
        for each in arrived:
            queue = queues.get(each[1])
            if self._size >= self._most and self._full(queue):
                lost += 1
                continue
            if queue is None:
                queue = queues[each[1]] = deque()
            queue.append(each)
            self._size += 1
        return lost

    def _full(self, queue: deque[Waiting] | None) -> bool:
        """Whether one more is too much, now that the most waits: beyond it only few of each."""
        return self._size >= 2 * self._most or len(queue or ()) >= FEW

    def take(self) -> Waiting:
        """The next in turn; IndexError when nothing waits."""
        if not self._size:
            raise IndexError("nothing waits")
        source = next(iter(self._queues))
        queue = self._queues.pop(source)
        self._size -= 1
        found = queue.popleft()
        if queue:
            self._queues[source] = queue
        return found
