"""The drain loop of one UDP socket and the memo of finished responses it answers from: contract.

Owns no decision: the handler judges, builds a response and leaves it here with the time until
which it holds. `drain_python` is the specification; `filterd.listen._native` does the same in C
when the package was built with a compiler. One test suite runs on both.
"""

from __future__ import annotations

from typing import Protocol, cast

from filterd.listen import drain_python

try:
    from filterd.listen import _native
except ImportError:
    COMPILED = False
else:
    COMPILED = True

TTLS = 24
"""A response with more TTLs than this is not memoised."""
NO_TALLY = 255
"""No category is counted for the source."""

Waiting = tuple[bytes, bytes, bytes]
"""A query for the handler: (datagram, 16-octet source with IPv4 mapped, token to answer with)."""


class Memo(Protocol):
    """Finished responses by (effective rules, variant, question), and who asks."""

    @property
    def weight(self) -> tuple[int, int]:
        """(entries, bytes) held."""

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
        """Keep `reply` (id 0, RD set) for `question` (lower-case wire name, type, class).

        `ttls` are offsets of TTLs that run down from `stored_ms`; `counts` indexes of 64-bit
        counters that each use adds one to; `tally` the category counted for the source, or
        NO_TALLY. Times are milliseconds of CLOCK_MONOTONIC. False: not kept.
        """

    def place(self, source: bytes, rules: int, tag: int, rate: float, burst: float, /) -> None:
        """Remember that `source` is under `rules`; `tag` (0–63) marks it in distinct counts.

        At most `rate` responses a second (bursts of `burst`) are given to it, and four times as
        many to its /24 or /56; 0: no limit. Beyond that its queries go to the handler. What a
        network has used up outlives `forget_sources`; some networks may share an allowance.
        """

    def flush(self) -> None:
        """Forget every response (new policy, new lists)."""

    def forget_sources(self) -> None:
        """Forget every source (new segments, a period begins, tags are drawn anew)."""

    def harvest(self) -> list[tuple[int, bytes, int, int]]:
        """(rules, question, uses, set of tags as bits) since the last harvest."""

    def harvest_sources(self) -> list[tuple[bytes, int, int, int]]:
        """(source, rules, tally, uses) since the last harvest."""


class Drain(Protocol):
    """One UDP socket."""

    def run(self, batches: int, /) -> list[Waiting]:
        """Answer what the memo knows of at most `batches` × 64 datagrams; return the others."""

    def send(self, token: bytes, reply: bytes, /) -> bool:
        """Answer one that was returned; False when the kernel would not take it."""


def open_memo(counters: memoryview, limit_bytes: int) -> Memo:
    """A memo that adds to `counters` (64-bit integers of the machine's order)."""
    if COMPILED:
        return _native.Memo(counters, limit_bytes)
    return drain_python.PythonMemo(counters, limit_bytes)


def open_drain(fd: int, memo: Memo, refusals: tuple[int, int] | None = None) -> Drain:
    """The drain loop of a bound, non-blocking UDP socket; `memo` is from `open_memo`.

    `refusals` = (counter of what gets no answer, first of 16 counters by rcode): what is no query
    is refused or dropped by the loop itself; None: that is the handler's too.
    """
    if COMPILED:
        return _native.Drain(fd, memo, refusals)
    return drain_python.PythonDrain(fd, cast(drain_python.PythonMemo, memo), refusals)
