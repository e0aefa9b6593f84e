"""A reading: one metric family as plain values, made where the facts are, told by the collector."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """Prometheus metric types in use."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Sample:
    """A value with its labels. A histogram's value is its sum, `buckets` its cumulative counts."""

    labels: Mapping[str, str]
    value: float
    buckets: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """One family. `name` is without `filterd_` and without `_total`/`_info`.

    `local` True: it tells of traffic, so only the school itself may see it (requirements §4.1).
    """

    name: str
    text: str
    kind: Kind
    samples: tuple[Sample, ...]
    local: bool = True


LABELS = frozenset(
    {"tier", "category", "outcome", "transport", "list", "upstream", "rcode", "worker", "result",
     "version", "compiled", "engine", "check", "state", "indicator", "page", "test"}
)  # fmt: skip
"""The only labels there are: never a client, a name, a user or a rule."""


def gauge(name: str, text: str, value: float, local: bool = True) -> Reading:
    """A gauge without labels."""
    return Reading(name, text, Kind.GAUGE, (Sample({}, value),), local)


def counter(name: str, text: str, value: float, local: bool = True) -> Reading:
    """A counter without labels."""
    return Reading(name, text, Kind.COUNTER, (Sample({}, value),), local)
