"""Names that no own list may block either: public suffixes and protected names, kept in the index.

The compiler takes what is protected out of subscribed lists; own lists are read without compiling,
so the index file carries what they must be held against, mapped like the rest.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import compress
from pathlib import Path

import marisa_trie

from filterd.lists import fdx
from filterd.lists.entry import EXCEPTION, NETWORK, SUBTREE, Dropped, Rule, Why
from filterd.lists.parsed import Group, Parsed, key_of, name_of_key
from filterd.lists.protect import Protection
from filterd.wire.names import Name

_REASONS = (Why.PROTECTED, Why.SUFFIX)
"""A school may block a suffix of the list's private section (duckdns.org) if it wants to."""


def write(protection: Protection, folder: Path) -> dict[str, Path]:
    """Section files of what is guarded: keys, and for each the scope and the reason (of a suffix
    above a protected name: that it is a suffix)."""
    says: dict[bytes, int] = {}
    for guarded in protection.guarded():
        if guarded.why in _REASONS:
            reason = _REASONS.index(guarded.why) << 2
            says[guarded.key] = says.get(guarded.key, 0) | reason | guarded.scope
    trie = marisa_trie.BinaryTrie(says)
    column = bytearray(len(trie))
    for key, value in says.items():
        column[trie[key]] = value
    parts = {"guard.trie": folder / "guard.trie", "guard.says": folder / "guard.says"}
    trie.save(str(parts["guard.trie"]))
    parts["guard.says"].write_bytes(column)
    return parts


class Guard:
    """What an index protects; asked by whoever reads an own list."""

    def __init__(self, mapped: fdx.Mapped) -> None:
        self._trie = marisa_trie.BinaryTrie()
        self._trie.map(mapped.sections["guard.trie"])
        self._says = mapped.sections["guard.says"]
        self._names: list[Name] = [Name(name) for name in mapped.head["protected"]]

    def enforce(self, parsed: Parsed) -> Parsed:
        """`parsed` without what would block something protected; counted with the reason."""
        for place, group in list(parsed.groups.items()):
            if not place[0] & EXCEPTION:
                parsed.groups[place] = self._checked(parsed, group, place[0])
        parsed.rules = self._kept(parsed, parsed.rules)
        return parsed

    def _why(self, key: bytes, flags: int) -> Why | None:
        """Why an entry with these flags may not stand in a list."""
        at = self._trie.get(key)
        if at is None or not self._says[at] & flags & SUBTREE:
            return None
        return _REASONS[self._says[at] >> 2]

    def _checked(self, parsed: Parsed, group: Group, flags: int) -> Group:
        kept = Group()
        for keys, lines in group.pairs():
            found = [self._why(key, flags) for key in keys]
            for key, line, why in zip(keys, lines, found, strict=True):
                if why is not None:
                    name = name_of_key(key)
                    text = f"||{name}^" if flags & NETWORK else name
                    parsed.drop(Dropped(line, why, text))
            good = [why is None for why in found]
            if any(good):
                kept.keys.append(b"\n".join(compress(keys, good)))
                kept.lines.extend(array("I", compress(lines, good)))
        return kept

    def _kept(self, parsed: Parsed, rules: Sequence[Rule]) -> list[Rule]:
        hit = set(Protection(frozenset(self._names)).hit_by(rules))
        kept = []
        for number, rule in enumerate(rules):
            why = Why.PROTECTED if number in hit else None
            if why is None and rule.name is not None and not rule.flags & EXCEPTION:
                why = self._why(key_of(rule.name), rule.flags)
            if why is None or rule.badfilter:
                kept.append(rule)
            else:
                parsed.drop(Dropped(rule.line, why, rule.text))
        return kept
