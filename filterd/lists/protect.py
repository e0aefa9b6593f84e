"""Names that no list may block: public suffixes and protected names.

A list that says otherwise loses those entries, counted with their reason; the rest of it works.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from publicsuffixlist import PublicSuffixList

from filterd.lists.entry import BELOW, EXCEPTION, SUBTREE, Rule, Why
from filterd.lists.matching import Rules
from filterd.lists.parsed import key_of
from filterd.wire.names import Name, ancestors, from_text


@dataclass(frozen=True, slots=True)
class Guarded:
    """A key, the bits of an entry that would block what is protected, and the reason to give."""

    key: bytes
    scope: int
    why: Why


@dataclass(frozen=True, slots=True)
class Protection:
    """What no list may block; `names` also guards what stands above them.

    `suffixes` are public suffixes with the reason to give for each (PSL, both sections).
    """

    names: frozenset[Name] = frozenset()
    suffixes: Mapping[Name, Why] = field(default_factory=dict)

    def guarded(self) -> Iterator[Guarded]:
        """Every key that a list entry could hit something protected with."""
        above: set[Name] = set()
        for name in self.names:
            yield Guarded(key_of(name), SUBTREE, Why.PROTECTED)
            above.update(ancestors(name)[1:])
        for name in above - self.names:
            yield Guarded(key_of(name), BELOW, Why.PROTECTED)
        for name, why in self.suffixes.items():
            yield Guarded(key_of(name), SUBTREE, why)

    def hit_by(self, rules: Sequence[Rule]) -> list[int]:
        """Numbers of the blocking rules that fit a protected name or are for a suffix."""
        if not rules:
            return []
        found = Rules(rules)
        hit = {s.number for name in self.names for s in found.fitting(name)}
        hit |= {number for number, rule in enumerate(rules) if rule.name in self.suffixes}
        return sorted(number for number in hit if not rules[number].flags & EXCEPTION)


def protected(names: Iterable[str], suffixes: bool = True) -> Protection:
    """Protection for names as people write them (those that are no names protect nothing)."""
    kept: set[Name] = set()
    for name in names:
        with contextlib.suppress(ValueError):
            kept.add(from_text(name.removeprefix("*.")))
    return Protection(frozenset(kept), public_suffixes() if suffixes else {})


def public_suffixes() -> dict[Name, Why]:
    """The Public Suffix List: `*.ck` stands for `ck`, exceptions (`!www.ck`) are left out."""
    icann = PublicSuffixList(only_icann=True)._publicsuffix
    found: dict[Name, Why] = {}
    for suffix in PublicSuffixList()._publicsuffix:
        if not suffix.startswith("!"):
            why = Why.SUFFIX if suffix in icann else Why.PRIVATE_SUFFIX
            bare = suffix.removeprefix("*.")
            found[Name(bare) if bare.isascii() else from_text(bare)] = why
    return found
