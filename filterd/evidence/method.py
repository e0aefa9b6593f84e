"""The method: every threshold, age, weight and set that turns facts into a verdict, as data.

Knows no fact and no school. A method is a versioned file with validity dates; nothing that an
office may want to change is a constant in code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import cast

import yaml

from filterd.errors import EvidenceError
from filterd.policy.model import Title

PROPOSED = Title("đề xuất", "proposed")
"""Printed beside every number of a method whose status is `proposed`: no authority set it."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """Basis points. `unmeasured` says what a gate without a measurement does to the status."""

    id: str
    title: Title
    ok: int
    warn: int
    lower_is_better: bool
    unmeasured: str
    gate: bool


@dataclass(frozen=True, slots=True)
class ListRule:
    """When a list of a category counts: fresh enough, large enough, or shipped by nature."""

    max_age_h: int
    min_entries: int
    shipped: bool = False


@dataclass(frozen=True, slots=True)
class Privacy:
    """The publication rule of cells: ≥ k clients, top client ≤ dominance, rounded."""

    k: int = 10
    dominance: int = 5000
    rounding: int = 10


@dataclass(frozen=True, slots=True)
class Method:
    """One version of the method; all shares are basis points (10000 = 100 %)."""

    version: str
    status: str
    title: Title
    valid_from: date
    valid_to: date | None
    thresholds: Mapping[str, Threshold]
    amber_without_action: str
    telemetry_min: int
    executed_min: int
    others_min: Mapping[str, int]
    efficacy: Mapping[str, int]
    efficacy_sample: Mapping[str, int]
    false_block_max: int
    sla_hours: Mapping[str, int]
    review_max_days: int
    roles: tuple[str, ...]
    privacy: Privacy
    locked_everyone: frozenset[str]
    locked_pupils: frozenset[str]
    mandatory: Mapping[str, tuple[str, ...]]
    lists: Mapping[str, ListRule]

    def locked(self, pupils: bool) -> frozenset[str]:
        """Categories nobody at a school may open for a tier (contract §5)."""
        return self.locked_everyone | self.locked_pupils if pupils else self.locked_everyone

    def required(self, tier: str, pupils: bool) -> frozenset[str]:
        """Mandatory categories of a tier; a tier of the school's own: the locked ones."""
        return frozenset(self.mandatory.get(tier, ())) | self.locked(pupils)

    def valid_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


def load(version: str = "v0") -> Method:
    """The shipped method of that version; EvidenceError `unknown_method` when there is none."""
    if not version.isalnum():
        raise EvidenceError("unknown_method", f"no method {version!r}")
    file = files("filterd.evidence").joinpath("methods", f"method-{version}.yaml")
    if not file.is_file():
        raise EvidenceError("unknown_method", f"no method {version!r}")
    return parse(file.read_text("utf-8"))


def parse(text: str) -> Method:
    """A method from its YAML; EvidenceError `bad_method` names the first thing that is missing."""
    try:
        return _build(yaml.safe_load(text))
    except (KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise EvidenceError("bad_method", f"method file: {error!r}") from error


def _build(raw: dict[str, object]) -> Method:
    locked = cast("dict[str, list[str]]", raw["locked"])
    return Method(
        version=str(raw["version"]),
        status=str(raw["status"]),
        title=Title(**cast("dict[str, str]", raw["title"])),
        valid_from=cast("date", raw["valid_from"]),
        valid_to=cast("date | None", raw["valid_to"]),
        thresholds={
            id_: _threshold(id_, each)
            for id_, each in cast("dict[str, dict[str, object]]", raw["indicators"]).items()
        },
        amber_without_action=str(raw["amber_without_action"]),
        telemetry_min=cast("int", raw["telemetry_min"]),
        executed_min=cast("int", raw["executed_min"]),
        others_min=cast("dict[str, int]", raw["others_min"]),
        efficacy=cast("dict[str, int]", raw["efficacy"]),
        efficacy_sample=cast("dict[str, int]", raw["efficacy_sample"]),
        false_block_max=cast("int", raw["false_block_max"]),
        sla_hours=cast("dict[str, int]", raw["sla_hours"]),
        review_max_days=cast("int", raw["review_max_days"]),
        roles=tuple(cast("list[str]", raw["roles"])),
        privacy=Privacy(**cast("dict[str, int]", raw["privacy"])),
        locked_everyone=frozenset(locked["everyone"]),
        locked_pupils=frozenset(locked["pupils"]),
        mandatory={
            tier: tuple(ids) for tier, ids in cast("dict[str, list[str]]", raw["mandatory"]).items()
        },
        lists={
            id_: ListRule(
                cast("int", rule["max_age_h"]),
                cast("int", rule["min_entries"]),
                bool(rule.get("shipped", False)),
            )
            for id_, rule in cast("dict[str, dict[str, object]]", raw["lists"]).items()
        },
    )


def _threshold(id_: str, raw: dict[str, object]) -> Threshold:
    return Threshold(
        id=id_,
        title=Title(**cast("dict[str, str]", raw["title"])),
        ok=cast("int", raw["pass"]),
        warn=cast("int", raw["warn"]),
        lower_is_better=bool(raw.get("lower_is_better", False)),
        unmeasured=str(raw["unmeasured"]),
        gate=bool(raw["gate"]),
    )
