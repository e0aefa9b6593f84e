"""Looks at the clients' sockets in the middle of other work, so that hits wait for nothing.

Whoever works on many things in one go calls this after each of them. Knows no socket.
"""

from __future__ import annotations

from collections.abc import Callable

EVERY_SECONDS = 0.0005
"""Between two looks: with the piece of work that just began it is what an answer that is here
already waits at most. A look that finds nothing costs 2 µs."""


class Glances:
    """Calls every `look` when the last time is long enough ago."""

    __slots__ = ("_due", "_looks", "_monotonic")

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._looks: tuple[Callable[[], None], ...] = ()
        self._due = 0.0

    def add(self, look: Callable[[], None]) -> None:
        """`look` may begin no other work than what answers at once."""
        self._looks = (*self._looks, look)

    def remove(self, look: Callable[[], None]) -> None:
        """Call it no more."""
        self._looks = tuple(each for each in self._looks if each != look)

    def __call__(self) -> None:
        """A piece of work is done, another one follows."""
        now = self._monotonic()
        if now < self._due:
            return
        self._due = now + EVERY_SECONDS
        for look in self._looks:
            look()
