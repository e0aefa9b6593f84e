"""`$badfilter`: rules that take other rules of the same category out of a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from filterd.lists.entry import Rule
from filterd.lists.parsed import key_of


@dataclass(slots=True)
class Cancelled:
    """What the badfilter rules of one category cancel: names with flags, and rules by key."""

    names: set[tuple[int, bytes]] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)

    def add(self, rules: Iterable[Rule]) -> None:
        """Take note of the badfilter rules among `rules`."""
        for rule in rules:
            if rule.badfilter:
                if rule.key:
                    self.keys.add(rule.key)
                elif rule.name is not None:
                    self.names.add((rule.flags, key_of(rule.name)))

    def remaining(self, rules: Iterable[Rule]) -> list[Rule]:
        """Rules that are neither badfilter rules nor cancelled by one."""
        return [r for r in rules if not r.badfilter and not (r.key and r.key in self.keys)]
