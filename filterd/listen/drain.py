"""The drain loop of one UDP socket and the memo of finished responses it answers from: contract.

Owns no decision: the handler judges, builds a response and leaves it here with the time until
which it holds. `drain_python` and `memo_python` are the specification; `filterd.listen._native`
does the same in C when the package was built with a compiler. One test suite runs on both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, cast

from filterd.listen.drain_python import PythonDrain
from filterd.listen.memo_python import PythonMemo
from filterd.metrics.seen import Names, PythonNames
from filterd.resolve.forward_ports import Forward
from filterd.resolve.memo import Memo

try:
    from filterd.listen import _native
except ImportError:
    COMPILED = False
else:
    # a build that was left over from before is not used
    COMPILED = getattr(_native, "VERSION", 0) == 14

BATCHES = 4
"""How many × 64 datagrams of a socket are looked at before others get their turn."""
Waiting = tuple[bytes, bytes, bytes]
"""A query for the handler: (datagram, 16-octet source with IPv4 mapped, token to answer with)."""
Columns = tuple["memoryview[int]", "memoryview[int]", "memoryview[int]"]
Half = tuple[memoryview, memoryview, int]
"""Names of an index file as `lists.index.Half`."""
Stretches = tuple[Columns, Columns]
"""The address lists of a table, IPv4 and IPv6: see `lists.addresses.Stretches`."""
Judge = Callable[[int, bytes, bytes], tuple[int, int] | None]
"""May it be forwarded? (rules, source, question) → (tier, end of the rules in ms or 0), or None."""


class Drain(Protocol):
    """One UDP socket."""

    def fileno(self) -> int:
        """Of the socket."""

    def run(self, batches: int, /) -> list[Waiting]:
        """Answer what the memo knows of at most `batches` × 64 datagrams; return the others, those
        first that were left while the loop waited (`listen.standby`)."""

    def send(self, token: bytes, reply: bytes, /) -> bool:
        """Answer one that was returned; False when the kernel would not take it."""


def open_memo(counters: memoryview, limit_bytes: int) -> Memo:
    """A memo that adds to `counters` (64-bit integers of the machine's order)."""
    if COMPILED:
        return _native.Memo(counters, limit_bytes)
    return PythonMemo(counters, limit_bytes)


def open_outline(
    halves: tuple[Half, Half], touched: Iterable[str], pieces: Iterable[str]
) -> object | None:
    """What lets a memo know that the lists say the same of two names (`Memo.outline`).

    `halves` are the plain entries of the lists, names under com, net and org first. At and below
    `touched` (lower case, no dot at the end), and where a name has one of `pieces` (3 or 4 octets),
    something else may speak, and no name has an outline there. None where nothing is compiled, or
    where the file is not as this machine writes it.
    """
    if not COMPILED:
        return None
    first, second = halves
    try:
        return _native.Outline(tuple(first), tuple(second), list(touched), list(pieces))
    except ValueError:
        return None


def open_names() -> Names:
    """Where the memo's harvest puts names (`metrics.seen.Seen`)."""
    return _native.Names() if COMPILED else PythonNames()


def open_networks(tables: Iterable[Stretches]) -> Callable[[bytes], bool] | None:
    """Whether a 4- or 16-octet address is in one of the address lists of these tables
    (`lists.index.Index.stretches`); None: there are none, or nothing is compiled."""
    found = list(tables)
    return _native.Networks(found) if COMPILED and found else None


def open_drain(
    fd: int,
    memo: Memo,
    refusals: tuple[int, int] | None = None,
    forward: Forward | None = None,
    number: int = 0,
) -> Drain:
    """The drain loop of a bound, non-blocking UDP socket; `memo` is from `open_memo`.

    `refusals` = (counter of what gets no answer, first of 16 counters by rcode): what is no query
    is refused or dropped by the loop itself; None: that is the handler's too. With `forward` it
    forwards plain questions by itself; `number` then names it in rows.
    """
    if COMPILED:
        return _native.Drain(fd, memo, refusals, forward, number)
    return PythonDrain(fd, cast(PythonMemo, memo), refusals)


def open_forward(
    memo: Memo,
    limit_bytes: int,
    clamp: tuple[int, int],
    pending: int,
    judge: Judge,
    refresh: Callable[[], None],
    places: tuple[int, ...],
) -> Forward | None:
    """Forwarding without Python for the drain loops of `memo`; None where nothing is compiled.

    `clamp` are the least and the most seconds of a TTL, `pending` how many questions of one source
    may wait, `places` where is counted (`resolve.forwarding.places`). `judge(rules, source, lower-
    case question)` says whether it may be forwarded: (tier, end of the rules in ms of
    CLOCK_MONOTONIC or 0), or None for the handler. `refresh` calls `Forward.order`.
    """
    if not COMPILED:
        return None
    return _native.Forward(memo, limit_bytes, places, clamp, pending, judge, refresh)
