"""The memo of finished responses: its contract, declared by its users (implemented by `listen`).

The memo repeats a response that was judged, for the same rules, question and variant, until the
time it was given. Pure.
"""

from __future__ import annotations

from typing import Protocol

from filterd.metrics.seen import Names
from filterd.wire import constants as c
from filterd.wire.query import Query

WITH_OPT, WITH_DO, WITH_CD, WITH_AD = 1, 2, 4, 8
TRANSPORT_SHIFT = 4
MAX_TTLS = 24
"""A response with more TTLs than this is not memoised."""
NO_TALLY = 255
"""No category is counted for the source."""
LINEAGE = 0xFF
"""The bits of a number of rules that those keep which replace them (see `carry`)."""


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

    def repeat(self, query: bytes, source: bytes, transport: int, /) -> bytes | None:
        """The response to a plain query of a source that is placed, None: the handler's to give.

        Over a stream (`transport` as in `metrics.layout`) nothing is limited or too long.
        """

    def repeat_frames(
        self, octets: bytes | memoryview, source: bytes, transport: int, /
    ) -> tuple[bytes, int]:
        """The same for the frames with which a stream's `octets` begin: (framed answers, octets
        used), up to the first frame that is not whole or the handler's, or 64 KiB of answers."""

    def place(self, source: bytes, rules: int, tag: int, rate: float, burst: float, /) -> None:
        """Remember that `source` is under `rules`; `tag` (0–63) marks it in distinct counts.

        At most `rate` responses a second (bursts of `burst`) are given to it, and four times as
        many to its /24 or /56; 0: no limit. Beyond that its queries go to the handler. What a
        network has used up outlives `forget_sources`; some networks may share an allowance.
        """

    def outline(self, outline: object | None, /) -> None:
        """From now on names of one outline (`listen.drain.open_outline`) share what is spread;
        None: no name has one. What was spread before must be flushed or of other rules."""

    def spread(self, rules: int, variant: int, question: bytes, /) -> bool:
        """Let what was put for a question hold for every name of its name's outline: the lists say
        the same of them, and nothing else decided. False: it has none, or a TTL that runs down."""

    def flush(self) -> None:
        """Forget every response. A swap does not: see `retire`."""

    def held_some(self, outline: object | None, /) -> list[tuple[int, bytes, int]] | None:
        """(rules, question, uses) of what still holds, a little at a time; None: that was all.

        Without what would be answered again by itself if `outline` were that of the names.
        """

    def carry(
        self, rules: int, heirs: int, question: bytes, since_ms: int, until_ms: int, /
    ) -> int:
        """Let what was stored for a question under `rules` since then hold under `heirs` too, until
        `until_ms` at most; how many responses.

        For whoever has judged it anew: nothing is compared here. Both numbers are of one LINEAGE,
        `heirs` is not 0. A response that is put under `rules` afterwards does not count.
        """

    def retire(self, oldest: int, /) -> None:
        """Rules with a smaller number are over: what holds for no others goes with the harvest."""

    def forget_sources(self) -> None:
        """Forget every source (new segments, a period begins, tags are drawn anew)."""

    def harvest(self, names: Names | None = None, /) -> list[tuple[int, bytes, int, int]]:
        """(rules, question, uses, set of tags as bits) since the last harvest. With `names` these
        are told it all, and rows are left of what came by `put` alone: the cache's questions."""

    def harvest_some(
        self, names: Names | None = None, /
    ) -> list[tuple[int, bytes, int, int]] | None:
        """The same a little at a time; None when everything had its turn."""

    def harvest_sources(self) -> list[tuple[bytes, int, int, int]]:
        """(source, rules, tally, uses) since the last harvest."""


def variant(query: Query, transport: int) -> int | None:
    """What of the query besides its question shows in a response, and how it came; None: not to be
    repeated."""
    if not query.flags & c.RD:
        return None
    bits = transport << TRANSPORT_SHIFT
    bits |= (WITH_CD if query.flags & c.CD else 0) | (WITH_AD if query.flags & c.AD else 0)
    if query.edns is None:
        return bits
    if not query.edns.bare or query.edns.version:
        return None
    return bits | WITH_OPT | (WITH_DO if query.edns.do else 0)
