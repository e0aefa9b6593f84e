"""What an update of the lists is doing, for whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from filterd.lists.update import Outcome


@dataclass(slots=True)
class Progress:
    """What an update is doing now, and how the last one of each list ended."""

    running: bool = False
    list: str | None = None
    bytes: int = 0
    whole: int | None = None
    results: dict[str, Outcome] = field(default_factory=dict)


def summary(progress: Progress) -> dict[str, Any]:
    """The progress as JSON."""
    results = [
        {"id": outcome.id, "outcome": outcome.outcome.value, "why": outcome.why}
        for outcome in progress.results.values()
    ]
    return {
        "running": progress.running, "list": progress.list, "bytes": progress.bytes,
        "whole": progress.whole, "results": results,
    }  # fmt: skip
