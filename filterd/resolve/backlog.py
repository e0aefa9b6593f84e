"""What waits for a worker's time, kept fair: one in turn from each source.

Who floods waits behind himself alone, and has at most his share of what may wait. Knows no
message and no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

MOST = 2048
"""What may wait; at 0.2 ms each that is 0.4 s of work."""
FEW = 16
"""What every source may have waiting, however many sources there are."""
Item = TypeVar("Item")


class Backlog(Generic[Item]):
    """A queue for each source, served in turn; at most `most` and, of many sources, twice that."""

    __slots__ = ("_most", "_queues", "_size")

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._queues: dict[bytes, deque[Item]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, arrived: Iterable[tuple[bytes, Item]]) -> int:
        """Take in (source, item); returns how many were over their source's share and are lost."""
        lost, queues = 0, self._queues
        for source, item in arrived:
            queue = queues.get(source)
            if self._size >= self._most and self._full(queue):
                lost += 1
                continue
            if queue is None:
                queue = queues[source] = deque()
            queue.append(item)
            self._size += 1
        return lost

    def _full(self, queue: deque[Item] | None) -> bool:
        """Whether one more is too much, now that the most waits: beyond it only few of each."""
        return self._size >= 2 * self._most or len(queue or ()) >= FEW

    def take(self) -> Item:
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
