"""Expressions that are compiled when a name first needs them, all that it needs at once.

One automaton for the few that a name may fit, which does not look for capitals where there can be
none, costs 20 µs an expression instead of 85 for one by itself (measured; compiling and the first
search). Pure, but for what it remembers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable

import re2

from filterd.lists import regex
from filterd.wire.names import Name

MOST_WEIGHT = 4_000
"""Of the expressions in one automaton: 40,000 instructions at the worst, of which `SET_BYTES` holds
far more states than RE2 needs. With too little memory a set would answer "no match"."""
SET_BYTES = 8 << 20
_COUNTS = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}")
_PLAIN = re.compile(
    r"(?:[!-@\]^-~]|\\[.dwb_-]|\[\^?(?:[a-z]-[a-z]|[0-9]-[0-9]|\\[.dw_-]|[a-z0-9_.])+-?\])*+"
)


def is_plain(pattern: str) -> bool:
    """Whether letter case makes no difference to a name, which is in lower case: nothing in it
    stands for a capital but by its small letter. Without regard to case, compiling costs double."""
    return _PLAIN.fullmatch(pattern) is not None


def weight(pattern: str) -> int:
    """About how many instructions the expression has, of ten octets' worth at the most each."""
    if r"\p" in pattern or r"\P" in pattern:
        return MOST_WEIGHT + 1  # a class of Unicode: hundreds of ranges
    times = math.prod(max(int(low), int(high or 1), 1) for low, high in _COUNTS.findall(pattern))
    return len(pattern) * times


class Expressions:
    """The expressions of rules, by their numbers."""

    def __init__(self, pattern: Callable[[int], str]) -> None:
        self._pattern = pattern
        self._alone: dict[int, re2._Regexp] = {}
        self._sets: dict[int, _Set] = {}
        self._options = regex.options()
        self._shared = {True: regex.options(), False: regex.options()}
        for plain, chosen in self._shared.items():
            chosen.max_mem, chosen.case_sensitive = SET_BYTES, plain

    @property
    def compiled(self) -> frozenset[int]:
        """Numbers of those that some name needed so far."""
        return frozenset(self._alone) | frozenset(self._sets)

    def found(self, numbers: Iterable[int], name: Name) -> list[int]:
        """Which of these expressions are found in the name, in the order of `numbers`."""
        wanted = tuple(dict.fromkeys(numbers))
        self._compile([n for n in wanted if n not in self._sets and n not in self._alone])
        said: set[int] = set()
        for one in {id(s): s for n in wanted if (s := self._sets.get(n)) is not None}.values():
            said.update(one.found(name))
        return [n for n in wanted if (n in said if n in self._sets else self._fits(n, name))]

    def _fits(self, number: int, name: Name) -> bool:
        return bool(self._alone[number].search(name))

    def _compile(self, numbers: Iterable[int]) -> None:
        open_sets: dict[bool, _Set] = {}
        for number in numbers:
            pattern = self._pattern(number)
            heavy, plain = weight(pattern), is_plain(pattern)
            if heavy > MOST_WEIGHT:
                self._alone[number] = re2.compile(pattern, options=self._options)
                continue
            together = open_sets.get(plain)
            if together is None or together.weight + heavy > MOST_WEIGHT:
                together = open_sets[plain] = _Set(self._shared[plain])
            together.add(number, pattern)
            together.weight += heavy
            self._sets[number] = together


class _Set:
    """An automaton of several expressions, made when it is first asked."""

    __slots__ = ("_automaton", "_is_made", "_numbers", "weight")

    def __init__(self, options: re2.Options) -> None:
        self.weight = 0
        self._numbers: list[int] = []
        self._automaton = re2.Set.SearchSet(options)
        self._is_made = False

    def add(self, number: int, pattern: str) -> None:
        self._automaton.Add(pattern)
        self._numbers.append(number)

    def found(self, name: Name) -> list[int]:
        if not self._is_made:
            self._automaton.Compile()
            self._is_made = True
        return [self._numbers[at] for at in self._automaton.Match(name) or ()]
