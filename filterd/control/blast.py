"""The blast radius of an edit: which names asked for lately would come out differently.

Works on RAM aggregates of names with at least K distinct clients; a name that fewer asked for is
only counted.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from filterd.policy.expect import outcome
from filterd.policy.model import Name
from filterd.policy.ruleset import Ruleset
from filterd.policy.verdict import Placement, Question

K = 10
_MAX_SHOWN = 500
_A = 1


@dataclass(frozen=True, slots=True)
class SeenName:
    """A name with how many distinct clients asked for it (an estimate)."""

    name: str
    clients: int


@dataclass(frozen=True, slots=True)
class SeenNames:
    """What was asked for since `since`; None: nothing is known (just started)."""

    since: datetime | None
    items: tuple[SeenName, ...]


class Seen(Protocol):
    """Whoever collects the workers' aggregates."""

    def names(self) -> Awaitable[SeenNames]:
        """Names asked for lately, of all workers together."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One name that would come out differently in one tier."""

    tier: str
    name: str
    before: str
    after: str
    clients: int


@dataclass(frozen=True, slots=True)
class Blast:
    """The differences, and how many names with too few clients are `hidden`."""

    since: datetime | None = None
    k: int = K
    names: tuple[Difference, ...] = ()
    hidden: int = 0


def blast(seen: SeenNames, rulesets: tuple[Ruleset, Ruleset], at: datetime) -> Blast:
    """Judge every seen name by the old and the new ruleset, in every tier of the new one."""
    old, new = rulesets
    shown = [item for item in seen.items if item.clients >= K]
    found = []
    for tier in new.policy.tiers:
        place = Placement(tier.id)
        before, after = old.effective(place, at), new.effective(place, at)
        for item in shown:
            question = Question(Name(item.name), _A)
            was, becomes = outcome(before.verdict(question)), outcome(after.verdict(question))
            if was != becomes:
                found.append(Difference(tier.id, item.name, was, becomes, item.clients))
    found.sort(key=lambda difference: -difference.clients)
    return Blast(seen.since, K, tuple(found[:_MAX_SHOWN]), len(seen.items) - len(shown))
