"""The seam between the pool and a transport: start an exchange, be told once, or call it off.

Callbacks instead of tasks and futures, because one future per client question is enough and
everything else is paid on each cache miss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from filterd.errors import UpstreamError
from filterd.upstream.question import UpstreamQuestion
from filterd.upstream.scan import Facts


class Arrival(NamedTuple):
    """A reply that fits its question and parses, clipped to its last record."""

    wire: bytes
    facts: Facts
    transport: str


Outcome = Arrival | UpstreamError
Done = Callable[[Outcome], None]


class Attempt(Protocol):
    """An exchange under way."""

    @property
    def sent(self) -> int:
        """How many queries it has sent so far (a truncated answer costs a second one)."""

    @property
    def lied_to(self) -> bool:
        """Whether something has arrived that pretended to be the answer and was not."""

    def cancel(self) -> None:
        """Stop; `done` is not called any more."""


class Transport(Protocol):
    """One way to one upstream."""

    def start(self, question: UpstreamQuestion, done: Done) -> Attempt:
        """Send now and call `done` later, once; raises UpstreamError if nothing can be sent."""

    async def close(self) -> None:
        """Drop every connection; attempts under way fail."""
