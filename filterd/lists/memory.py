"""A table of lists held in memory: the school's own lists and small sets of list files.

Built in milliseconds, replaced whole; the file table says the same for millions of names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from filterd.lists.addresses import AddressTable, columns
from filterd.lists.badfilter import Cancelled, cancelled
from filterd.lists.entry import BELOW, EXACT
from filterd.lists.matching import Rules
from filterd.lists.parsed import Parsed, name_of_key
from filterd.lists.precedence import Candidate, ListMeta
from filterd.lists.texts import rule_text
from filterd.policy.verdict import Listing, Question
from filterd.wire.names import Name, ancestors


@dataclass(frozen=True, slots=True)
class Loaded:
    """A list that was read: what it is and what it says."""

    meta: ListMeta
    parsed: Parsed


@dataclass(frozen=True, slots=True)
class Spoken:
    """Where a table speaks otherwise than by plain entries of the index file: at and below `names`,
    and where a name has one of `pieces`; `names` None: perhaps anywhere."""

    names: Sequence[Name] | None
    pieces: tuple[str, ...]


class MemoryTable:
    """Lists in dictionaries; implements what `index.Index` needs of a table."""

    def __init__(self, lists: Sequence[Loaded]) -> None:
        self._names: dict[Name, list[tuple[ListMeta, int, int]]] = {}
        self._owners: list[ListMeta] = []
        rules = []
        taken = cancelled((loaded.meta, loaded.parsed.rules) for loaded in lists)
        for loaded, gone in zip(lists, taken, strict=True):
            self._add_names(loaded, gone)
            for rule in gone.remaining(loaded.parsed.rules):
                rules.append(rule)
                self._owners.append(loaded.meta)
        self._rules = Rules(rules)
        addresses = (
            (number, found)
            for number, loaded in enumerate(lists)
            for found in loaded.parsed.addresses
        )
        self._addresses = AddressTable(columns(addresses), [loaded.meta for loaded in lists])

    def _add_names(self, loaded: Loaded, gone: Cancelled) -> None:
        for (flags, _), group in loaded.parsed.groups.items():
            for keys, lines in group.pairs():
                for key, line in zip(keys, lines, strict=True):
                    if (flags, key) not in gone.names:
                        entry = (loaded.meta, flags, line)
                        self._names.setdefault(name_of_key(key), []).append(entry)

    @property
    def spoken(self) -> Spoken:
        """What its rules and names stand by."""
        anchors = self._rules.anchors
        names = None if anchors is None else [*self._names, *anchors]
        return Spoken(names, tuple(self._rules.pieces))

    def candidates(self, question: Question) -> Iterator[Candidate]:
        """Rules that speak about the question."""
        name = question.name
        for above in ancestors(name):
            for meta, flags, line in self._names.get(above, ()):
                if flags & (EXACT if above == name else BELOW):
                    text = rule_text(above, flags, meta.format)
                    length = len(above) + (above == name)
                    yield Candidate(meta, line, text, flags, length)
        if len(self._rules):
            yield from rule_candidates(self._rules, self._owners, question)

    def address_listings(self, packed: bytes) -> tuple[Listing, ...]:
        """Rules of address lists that hold this address."""
        return self._addresses.find(packed)

    @property
    def addresses(self) -> AddressTable:
        """The networks of all lists."""
        return self._addresses


def rule_candidates(
    rules: Rules, owners: Sequence[ListMeta], question: Question
) -> Iterable[Candidate]:
    """Candidates for the rules that need more than a name."""
    for spoken in rules.speaking(question):
        rule = rules[spoken.number]
        yield Candidate(
            owners[spoken.number], rule.line, rule.text, rule.flags, spoken.length,
            rule.modifiers, rule.rewrite, rule.clients is not None or rule.tags is not None,
            spoken.silent,
        )  # fmt: skip
