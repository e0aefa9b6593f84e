"""`$badfilter`: rules that take other rules of the same category out of a table.

In the categories of the floor a list takes back what it says itself and nothing else: no list
that a school chooses may open what another one of the floor closes. Nor what its office closes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from filterd.lists.entry import Rule
from filterd.lists.parsed import key_of
from filterd.lists.precedence import ListMeta
from filterd.policy.taxonomy import FLOOR


@dataclass(slots=True)
class Cancelled:
    """What badfilter rules cancel: names with flags, and rules by key."""

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


def cancelled(lists: Iterable[tuple[ListMeta, Sequence[Rule]]]) -> list[Cancelled]:
    """What is cancelled in each of these lists."""
    scopes: dict[str, Cancelled] = {}
    found = []
    for meta, rules in lists:
        alone = meta.category in FLOOR or meta.is_of_office
        scope = f"list {meta.id}" if alone else meta.category
        found.append(scopes.setdefault(scope, Cancelled()))
        found[-1].add(rules)
    return found
