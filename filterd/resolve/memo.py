"""What the handler needs of the memo of finished responses (`listen.drain`), declared here.

The memo repeats a response that was judged, for the same rules, question and variant, until the
time it was given. Pure.
"""

from __future__ import annotations

from typing import Protocol

from filterd.wire import constants as c
from filterd.wire.query import Query

WITH_OPT, WITH_DO, WITH_CD, WITH_AD = 1, 2, 4, 8
MAX_TTLS = 24
NO_TALLY = 255


class Memo(Protocol):
    """Finished responses and who asks; contract in `filterd.listen.drain.Memo`."""

    def put(
        self,
        rules: int,
        variant: int,
        question: bytes,
        reply: bytes,
        ttls: tuple[int, ...],
        counts: tuple[int, ...],
        stored_ms: int,
        until_ms: int,
        tally: int,
        /,
    ) -> bool:
        """Keep `reply` (id 0, RD set)."""

    def place(self, source: bytes, rules: int, tag: int, rate: float, burst: float, /) -> None:
        """Remember under which rules a 16-octet source asks."""

    def flush(self) -> None:
        """Forget every response."""

    def forget_sources(self) -> None:
        """Forget every source."""

    def harvest(self) -> list[tuple[int, bytes, int, int]]:
        """(rules, question, uses, tags) since the last time."""

    def harvest_sources(self) -> list[tuple[bytes, int, int, int]]:
        """(source, rules, tally, uses) since the last time."""


def variant(query: Query) -> int | None:
    """What of the query besides its question shows in a response; None: not to be repeated."""
    if not query.flags & c.RD:
        return None
    bits = (WITH_CD if query.flags & c.CD else 0) | (WITH_AD if query.flags & c.AD else 0)
    if query.edns is None:
        return bits
    if not query.edns.bare or query.edns.version:
        return None
    return bits | WITH_OPT | (WITH_DO if query.edns.do else 0)
