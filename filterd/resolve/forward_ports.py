"""What forwarding without Python needs, declared by its user: the native part, and the pool.

`filterd.listen._native.Forward` and `filterd.upstream.pool.Pool` implement it. Types only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from filterd.metrics.seen import Names
from filterd.upstream.handover import Handover, Heard, Lead
from filterd.upstream.question import Told, UpstreamQuestion

Row = tuple[int, bytes, bytes, bytes, float]
"""A query for the handler: listener, datagram, source, token to answer with, when it came."""
Event = tuple[int, bytes, int, bytes, bytes | None, int, float, int, bool, list[Row]]
"""(what, question, lane, query as sent, datagram, errno, when it was sent, to how many, whether
somebody lied, who waits). `what`: `upstream.handover.What`, or -1 for the rows alone."""
Lane = tuple[str, int, bytes, bool, int]
"""An upstream to ask: host, port, cookie, whether it repeats letter case, patience in ms."""
Tally = tuple[int, int, float, float, int, int, bytes]
"""Queries, replies, the sum of their seconds, seconds that another was faster, wrong ids, malformed
datagrams, the cookie when it is a new one."""
Answered = tuple[bytes, int, int, int, int]
"""Records (addresses: owners point to the question, TTLs are 0), TTL, when it came (ms), marks,
uses."""
AD, NXDOMAIN, NEGATIVE = 1, 2, 4
"""Marks of an answer, as in listen/native/reply.h: its AD bit, its rcode, that it has no answer."""


class Forward(Protocol):
    """Questions under way without Python, and what was answered to them."""

    @property
    def weight(self) -> tuple[int, int]:
        """(answers, bytes) held."""

    def fileno(self) -> int:
        """Readable when `run` has something to do."""

    def run(self) -> list[Event]:
        """Deal with everything that has come; return what is Python's."""

    def hand_over(self, question: bytes, /) -> Event | None:
        """Give up a question that is under way; None when it is not."""

    def order(self, lanes: list[Lane], until_ms: int, /) -> list[int]:
        """Who is to be asked at once until then, and the numbers of their lanes; none: nobody."""

    def seen(self, lane: int, /) -> Tally:
        """What became of a lane's questions since the last time."""

    def watch(
        self,
        listed: Callable[[bytes], bool] | None,
        note: Callable[[bytes, int], None] | None,
        /,
    ) -> None:
        """`listed` (`listen.drain.open_networks`): whether an address that is about to be told is
        the handler's to judge; None: none is. `note` is told all others with their TTLs."""

    def answered(self, question: bytes, /) -> Answered | None:
        """The answer to a lower-case question, fresh or old."""

    def harvest(self, names: Names | None = None, /) -> list[tuple[int, bytes, int, int]]:
        """(0, question, uses, tags) since the last time; with `names` these are told, and no row is
        left."""

    def harvest_some(
        self, names: Names | None = None, /
    ) -> list[tuple[int, bytes, int, int]] | None:
        """The same a little at a time; None when everything had its turn."""

    def note(self, question: bytes, /) -> None:
        """Python has this question in hand: `judge` is asked before it is sent, however alike."""

    def flush(self) -> None:
        """Forget every answer."""


class Readers(Protocol):
    """Who is called when the native part has something for Python (`listen.standby`)."""

    def add(self, watched: Forward, call: Callable[[], None], /) -> None:
        """Call when there is something to `run`."""

    def remove(self, watched: Forward, /) -> None:
        """Call no more."""


class Upstreams(Protocol):
    """The pool, as far as it is needed here."""

    def leading(self) -> tuple[Lead, ...]:
        """Who is asked first, all at once; none: not over UDP, or not in the plain way."""

    def account(self, lead: Lead, tally: Tally) -> None:
        """What became of questions that were sent for the pool."""

    def adopt(
        self, question: UpstreamQuestion, taken: Handover, deadline: float, done: Told
    ) -> Heard:
        """Go on with an exchange that was begun outside."""
