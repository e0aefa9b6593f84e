"""What the handler needs of others, declared by its user: the ruleset, the places, the pool.

Implemented by `policy.ruleset`, `clients.segments` and `upstream.pool`. Types only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from filterd.policy.verdict import Blocked, Placement, Question, Verdict
from filterd.upstream.question import Told, UpstreamQuestion

Clock = Callable[[], datetime | None]
"""The wall clock; None says that it is not trusted (architecture §3)."""


class Effective(Protocol):
    """The rules in force for one tier and segment until `until`."""

    @property
    def key(self) -> int:
        """Equal for equal rules of one ruleset."""

    @property
    def until(self) -> datetime | None:
        """When the rules change by themselves, None: never."""

    def verdict(self, question: Question) -> Verdict:
        """The ordered decision on one question."""

    def target_verdict(self, question: Question, asked: Verdict) -> Blocked | None:
        """The decision on a name that the answer to a question judged `asked` leads to."""

    def answer_verdict(self, question: Question, addresses: Iterable[bytes]) -> Blocked | None:
        """Whether packed addresses of an answer (or of SVCB hints) are refused."""


class Ruleset(Protocol):
    """Policy and lists compiled; swapped whole."""

    def effective(self, placement: Placement, at: datetime | None) -> Effective:
        """The rules for a place at a time."""


class Places(Protocol):
    """Where a source belongs."""

    def place(self, address: bytes, device_key: str | None = None) -> Placement:
        """The placement of a packed address or the holder of a device key."""


class Exchanger(Protocol):
    """Whoever asks upstream."""

    def ask(self, question: UpstreamQuestion, deadline: float, done: Told) -> object:
        """Tell `done` a checked reply or an UpstreamError before `deadline` (monotonic seconds),
        once, after this has returned; raises UpstreamError when nobody can be asked."""


@dataclass(frozen=True, slots=True)
class Running:
    """All that a policy revision means to the handler; swapped by one assignment.

    `portal` are packed addresses; `tiers` is the order of tiers in the counters. `outline` is
    for the memo (`Memo.outline`).
    """

    ruleset: Ruleset
    places: Places
    portal: tuple[bytes, ...] = ()
    tiers: tuple[str, ...] = ()
    revision: int = 0
    outline: object | None = None
