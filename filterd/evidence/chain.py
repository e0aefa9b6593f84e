"""What makes a signed summary acceptable after the ones before it. Pure.

The office runs this at ingest; the school runs it over its own spool. Verifying the signature
comes first (`signing.verify`); here only counter, chain, day and clocks are judged.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import assert_never

from filterd.evidence.records import Summary
from filterd.evidence.summary import FIRST

LATE_AFTER = timedelta(days=3)
"""A summary received this long after its day's end is flagged late, and counted."""
CLOCK_SLACK = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Head:
    """The last accepted summary of a device."""

    counter: int
    digest: str
    day: date


class Outcome(enum.StrEnum):
    """`accepted`, `gap` (accepted, something before it is missing) and `known` (sent again,
    byte for byte the same) are fine; the others are refused and shown."""

    ACCEPTED = "accepted"
    GAP = "gap"
    KNOWN = "known"
    REPLAY = "replay"
    FORK = "fork"
    FUTURE = "future"
    BACKWARDS = "backwards"

    @property
    def refused(self) -> bool:
        match self:
            case Outcome.ACCEPTED | Outcome.GAP | Outcome.KNOWN:
                return False
            case Outcome.REPLAY | Outcome.FORK | Outcome.FUTURE | Outcome.BACKWARDS:
                return True
        assert_never(self)


def judge(
    head: Head | None,
    summary: Summary,
    body_digest: str,
    received_at: datetime,
    stored_digest: str | None = None,
) -> Outcome:
    """Where the summary stands after `head`; `received_at` is the receiver's aware clock.

    `stored_digest` is the digest already accepted for this device and counter, None if none is.
    A counter may skip (a spool lost to a broken disk: GAP) but never repeat; the next counter must
    name the digest of the head; days never run backwards along the counter.
    """
    if date.fromisoformat(summary["day"]) > (received_at + CLOCK_SLACK + timedelta(days=1)).date():
        return Outcome.FUTURE
    if stored_digest is not None:
        return Outcome.KNOWN if body_digest == stored_digest else Outcome.REPLAY
    if head is None:
        return (
            Outcome.ACCEPTED
            if summary["counter"] == 1 and summary["previous"] == FIRST
            else Outcome.GAP
        )
    if summary["counter"] == head.counter:
        return Outcome.KNOWN if body_digest == head.digest else Outcome.REPLAY
    if summary["counter"] < head.counter:
        return Outcome.REPLAY
    if summary["counter"] == head.counter + 1 and summary["previous"] != head.digest:
        return Outcome.FORK
    if date.fromisoformat(summary["day"]) < head.day:
        return Outcome.BACKWARDS
    return Outcome.ACCEPTED if summary["counter"] == head.counter + 1 else Outcome.GAP


def late(summary: Summary, received_at: datetime) -> bool:
    """Whether it came later than a working line would explain; late data is kept and flagged."""
    return received_at.date() - date.fromisoformat(summary["day"]) > LATE_AFTER
