"""Whether a new version of a list may go live by itself. Pure: figures in, reasons out.

What is no list at all never gets here (`examine` refuses it). Everything the gate says leads to
quarantine: a person decides, the last good version stays, nothing is frozen in silence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`shrink` (a fifth: requirements I4) and `growth` as shares of the old size, from `floor` on;
    `mistakes` as a share of the lines."""

    shrink: float = 0.20
    growth: float = 1.00
    floor: int = 50
    mistakes: float = 0.10


DEFAULT = Thresholds()


def reasons(
    figures: Mapping[str, Any], approved: Collection[str], limits: Thresholds = DEFAULT
) -> tuple[str, ...]:
    """Why a person must look at it, empty when nobody must.

    `approved` are hits on protected names that a person has let pass before.
    """
    found: list[str] = []
    before, after = figures["before"], figures["entries"]
    change = after - before
    if before and abs(change) >= limits.floor:
        if change < -limits.shrink * before:
            found.append(
                f"shrinks from {before:,} to {after:,} entries ({_percent(change, before)})"
            )
        if change > limits.growth * before:
            found.append(f"grows from {before:,} to {after:,} entries ({_percent(change, before)})")
        elif figures["removed"] > limits.shrink * before and change >= -limits.shrink * before:
            found.append(f"{figures['removed']:,} of {before:,} entries are replaced by others")
    if figures["mistakes"] > limits.mistakes * max(figures["lines"], 1):
        found.append(f"{figures['mistakes']:,} of {figures['lines']:,} lines make no sense")
    hits = [name for name in figures["protected"] if name not in approved]
    if hits:
        shown = ", ".join(hits[:5]) + (f" and {len(hits) - 5} more" if len(hits) > 5 else "")
        found.append(f"would block protected names: {shown}")
    return tuple(found)


def _percent(change: int, before: int) -> str:
    return f"{100 * change / before:+.0f} %"
