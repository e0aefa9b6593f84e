"""Names that no list may block: public suffixes and protected names.

A list that says otherwise loses those entries, counted with their reason; the rest of it works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

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
    """What no list may block; `names` also guards what stands above them."""

    names: frozenset[Name] = frozenset()
    suffixes: bool = True

    def guarded(self) -> Iterator[Guarded]:
        """Every key that a list entry could hit a protected name with."""
        above: set[Name] = set()
        for name in self.names:
            yield Guarded(key_of(name), SUBTREE, Why.PROTECTED)
            above.update(ancestors(name)[1:])
        for name in above - self.names:
            yield Guarded(key_of(name), BELOW, Why.PROTECTED)
        if self.suffixes:
            icann = frozenset(public_suffixes(icann_only=True))
            for name in public_suffixes():
                why = Why.SUFFIX if name in icann else Why.PRIVATE_SUFFIX
                yield Guarded(key_of(name), SUBTREE, why)

    def split(self, rules: Sequence[Rule]) -> tuple[list[int], list[int]]:
        """Numbers of the rules that may stay, and of those that fit a protected name."""
        found = Rules(rules)
        hit = {s.number for name in self.names for s in found.fitting(name)}
        hit = {number for number in hit if not rules[number].flags & EXCEPTION}
        hit |= set(self._suffix_rules(rules))
        return [n for n in range(len(rules)) if n not in hit], sorted(hit)

    def _suffix_rules(self, rules: Iterable[Rule]) -> Iterator[int]:
        if self.suffixes:
            known = frozenset(public_suffixes())
            for number, rule in enumerate(rules):
                if rule.name in known and not rule.flags & EXCEPTION:
                    yield number


NOTHING = Protection(suffixes=False)
"""For judging lists alone, as their authors mean them."""


def public_suffixes(icann_only: bool = False) -> Iterator[Name]:
    """Every suffix of the Public Suffix List; `*.ck` stands for `ck`, `!www.ck` is left out."""
    listing = PublicSuffixList(only_icann=icann_only)
    for suffix in listing._publicsuffix:
        if not suffix.startswith("!"):
            yield from_text(suffix.removeprefix("*."))


def protected(names: Iterable[str], dropped: Callable[[str], None] | None = None) -> Protection:
    """Protection for names as people write them; those that are no names go to `dropped`."""
    kept: set[Name] = set()
    for name in names:
        try:
            kept.add(from_text(name.removeprefix("*.")))
        except ValueError:
            if dropped is not None:
                dropped(name)
    return Protection(frozenset(kept))
