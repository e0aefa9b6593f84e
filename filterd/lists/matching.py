"""Which rules speak about a question, beyond plain names: patterns and narrowing modifiers.

Pure: rules in, rules out. Precedence between them is not decided here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import re2

from filterd.lists import regex
from filterd.lists.entry import BELOW, EXACT, Clients, Only, Rule
from filterd.lists.expressions import Expressions
from filterd.lists.prefilter import Prefilter
from filterd.lists.types import TYPES
from filterd.policy.verdict import Asker, Question
from filterd.wire.names import Name, ancestors

SET_BYTES = 8 << 20
SET_BYTES_PER_RULE = 16 << 10
"""Memory the automaton of all free patterns may use. With too little RE2 would answer "no match"
instead of failing, so the sum grows with the number of patterns."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A rule that speaks; `length` is how much of the name it pins down (nearer wins for RPZ).

    `silent`: it would speak to another client, so what is decided holds for this one alone.
    """

    number: int
    length: int
    silent: bool = False


class Rules:
    """The rules of a table, findable by name, by anchor, by a piece of text that they require,
    and by one automaton for the few that require none."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._at: dict[Name, list[int]] = {}
        self._always: list[int] = []
        self._free: list[int] = []
        self._texts = Expressions(lambda number: rules[number].pattern or "")
        self._pieces = Prefilter()
        for number, rule in enumerate(rules):
            self._place(number, rule)
        self._set = self._automaton() if self._free else None

    def __len__(self) -> int:
        return len(self._rules)

    def __getitem__(self, number: int) -> Rule:
        return self._rules[number]

    @property
    def anchors(self) -> Collection[Name] | None:
        """Names that rules are kept by; None where a rule may fit any name at all."""
        return None if self._always or self._free else self._at.keys()

    @property
    def pieces(self) -> Iterable[str]:
        """Texts of 3 or 4 octets, of which a name has at least one if an expression fits it."""
        return self._pieces.pieces

    def _place(self, number: int, rule: Rule) -> None:
        if rule.name is not None:
            self._at.setdefault(rule.name, []).append(number)
        elif rule.pattern is None or rule.inverted:
            self._always.append(number)
        elif rule.anchor is not None:
            self._at.setdefault(rule.anchor, []).append(number)
        elif not self._pieces.add(number, rule.pattern):
            self._free.append(number)

    def _automaton(self) -> re2.Set:
        chosen = regex.options()
        chosen.max_mem = SET_BYTES + SET_BYTES_PER_RULE * len(self._free)
        automaton = re2.Set.SearchSet(chosen)
        for number in self._free:
            automaton.Add(self._rules[number].pattern)
        automaton.Compile()
        return automaton

    def speaking(self, question: Question) -> Iterator[Spoken]:
        """Rules whose trigger fits the name and whose modifiers fit the rest of the question."""
        for found in self.fitting(question.name):
            rule = self._rules[found.number]
            if not applies(rule, question):
                continue
            if speaks_to(rule, question.asker or _NOBODY):
                yield found
            else:
                yield Spoken(found.number, found.length, silent=True)

    def fitting(self, name: Name) -> Iterator[Spoken]:
        """Rules whose trigger fits the name, whatever their modifiers ask for."""
        tried: dict[int, int] = {}
        if self._at:
            yield from self._near(name, tried)
        for number in self._always:
            if self._rules[number].pattern is None or not self._texts.found((number,), name):
                yield Spoken(number, 0)
        tried.update((number, 0) for number in self._pieces.candidates(name))
        if tried:
            yield from (Spoken(n, tried[n]) for n in self._texts.found(tried, name))
        if self._set is not None:
            for index in self._set.Match(name) or ():
                yield Spoken(self._free[index], 0)

    def _near(self, name: Name, tried: dict[int, int]) -> Iterator[Spoken]:
        """Rules that are kept by the name or by a name above it; those whose expression has yet to
        be tried are added to `tried`, with the length that they pin down."""
        for above in ancestors(name):
            for number in self._at.get(above, ()):
                rule, length = self._rules[number], len(above) + (above == name)
                if rule.name is None:
                    tried[number] = length
                elif rule.flags & (EXACT if above == name else BELOW):
                    yield Spoken(number, length)


def applies(rule: Rule, question: Question) -> bool:
    """Whether the rule's modifiers hold for this question, whoever asks it."""
    if rule.types is not None and not _of(rule.types, _type_name(question.qtype)):
        return False
    return not (rule.denyallow and any(a in rule.denyallow for a in ancestors(question.name)))


def speaks_to(rule: Rule, asker: Asker) -> bool:
    """Whether the rule is for this client (`$client`, `$ctag`)."""
    if rule.tags is not None and not _tagged(rule.tags, asker.tags):
        return False
    return rule.clients is None or _is_client(rule.clients, asker)


_NOBODY = Asker()
_TYPE_NAMES = {number: name for name, number in TYPES.items()}


def _type_name(qtype: int) -> str:
    return _TYPE_NAMES.get(qtype, f"TYPE{qtype}")


def _of(only: Only, value: str) -> bool:
    return value not in only.never and (not only.of or value in only.of)


def _tagged(only: Only, tags: frozenset[str]) -> bool:
    return not only.never & tags and (not only.of or bool(only.of & tags))


def _is_client(clients: Clients, asker: Asker) -> bool:
    address = ipaddress.ip_address(asker.address) if asker.address else None
    if asker.name in clients.not_names or _within(address, clients.not_networks):
        return False
    if not clients.names and not clients.networks:
        return True
    return asker.name in clients.names or _within(address, clients.networks)


def _within(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None,
    networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network],
) -> bool:
    return address is not None and any(address in network for network in networks)
