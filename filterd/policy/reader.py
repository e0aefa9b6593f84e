"""Typed reading of a document tree: every mistake is noted with its line, none stops the reading.

`Log` collects the problems of one file, `Fields` reads the keys of one mapping. Knows the forms of
values (names, days, times, networks are in `values`), not what a policy is.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from filterd.errors import Problem
from filterd.policy.tree import Mapping, Node, Scalar, Sequence

T = TypeVar("T")
TRUE = frozenset({"true", "on", "yes", "bật", "có"})
FALSE = frozenset({"false", "off", "no", "tắt", "không"})


class ValueProblem(Exception):
    """A value that cannot be read: the reason in both languages, and what to write instead."""

    def __init__(self, en: str, vi: str, suggestion: str | None = None) -> None:
        super().__init__(en)
        self.en, self.vi, self.suggestion = en, vi, suggestion


@dataclass(frozen=True, slots=True)
class Log:
    """The problems of one file, in the order they were met."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def add(self, line: int | None, key: str, problem: ValueProblem) -> None:
        """Note one mistake."""
        self.problems.append(
            Problem(self.file, line, key, problem.en, problem.suggestion, problem.vi)
        )


def nearest(word: str, known: Iterable[str]) -> str | None:
    """'did you mean …?' for a word that is not known, or None when nothing is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {found[0]!r}?" if found else None


def choice(known: Collection[str]) -> Callable[[str], str]:
    """Reads one word of a closed set."""

    def read(text: str) -> str:
        if text not in known:
            hint = nearest(text, known) or "one of: " + ", ".join(sorted(known)[:30])
            raise ValueProblem(f"{text!r} is not known", f"không có {text!r}", hint)
        return text

    return read


def truth(text: str) -> bool:
    """Reads on/off, yes/no, true/false, in English or Vietnamese."""
    word = text.lower()
    if word in TRUE or word in FALSE:
        return word in TRUE
    raise ValueProblem(
        f"{text!r} is neither on nor off", f"{text!r} không phải on/off", "on or off"
    )


def whole(low: int, high: int) -> Callable[[str], int]:
    """Reads a whole number within [low, high]."""

    def read(text: str) -> int:
        try:
            number = int(text) if len(text) <= 12 else high + 1
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ValueProblem(
                f"{text[:20]!r} is not a whole number from {low} to {high}",
                f"{text[:20]!r} không phải số nguyên từ {low} đến {high}",
            )
        return number

    return read


class Fields:
    """The keys of one mapping; each is read once with the type it must have."""

    def __init__(self, log: Log, node: Node, path: str, known: Collection[str]) -> None:
        self.log, self.path, self.line = log, path, node.line
        self._nodes: dict[str, Node] = {}
        if not isinstance(node, Mapping):
            self.wrong(
                None, ValueProblem("must be keys with values", "phải gồm các khoá và giá trị")
            )
            return
        for key, line, value in node.entries:
            if key in known:
                self._nodes[key] = value
            else:
                hint = nearest(key, known) or "known keys: " + ", ".join(known)
                log.add(line, self._at(key), ValueProblem("unknown key", "khoá lạ", hint))

    def _at(self, key: str | None) -> str:
        return ".".join(part for part in (self.path, key) if part) or "(file)"

    def wrong(self, key: str | None, problem: ValueProblem) -> None:
        """Note a mistake about a key of this mapping (or the mapping itself)."""
        node = self._nodes.get(key) if key is not None else None
        self.log.add(node.line if node is not None else self.line, self._at(key), problem)

    def has(self, key: str) -> bool:
        """Whether the key is written and not empty (`key:` alone means: not said)."""
        node = self._nodes.get(key)
        return node is not None and not (
            isinstance(node, Scalar) and node.plain and node.text in ("", "null", "~")
        )

    def line_of(self, key: str) -> int:
        """The line of a key's value, or of the mapping."""
        node = self._nodes.get(key)
        return node.line if node is not None else self.line

    def value(self, key: str, read: Callable[[str], T], default: T, *, need: bool = False) -> T:
        """One scalar; the default when absent or wrong (then a problem is noted)."""
        if not self.has(key):
            if need:
                self.wrong(key, ValueProblem("is missing", "còn thiếu"))
            return default
        node = self._nodes[key]
        if not isinstance(node, Scalar):
            self.wrong(key, ValueProblem("must be one value", "phải là một giá trị"))
            return default
        return next(iter(self._scalars(key, (node,), read)), default)

    def values(self, key: str, read: Callable[[str], T]) -> tuple[T, ...]:
        """A list of scalars (one alone is a list of one); wrong ones are noted and left out."""
        if not self.has(key):
            return ()
        node = self._nodes[key]
        if isinstance(node, Mapping):
            self.wrong(key, ValueProblem("must be a list", "phải là một danh sách"))
            return ()
        nodes = node.items if isinstance(node, Sequence) else (node,)
        return tuple(self._scalars(key, nodes, read))

    def _scalars(self, key: str, nodes: Iterable[Node], read: Callable[[str], T]) -> Iterable[T]:
        for node in nodes:
            if not isinstance(node, Scalar):
                problem = ValueProblem("must be one value", "phải là một giá trị")
                self.log.add(node.line, self._at(key), problem)
                continue
            try:
                yield read(node.text)
            except ValueProblem as problem:
                self.log.add(node.line, self._at(key), problem)

    def child(self, key: str, known: Collection[str]) -> Fields | None:
        """A mapping below this one, or None when it is not written."""
        if not self.has(key):
            return None
        return Fields(self.log, self._nodes[key], self._at(key), known)

    def children(self, key: str, known: Collection[str]) -> tuple[Fields, ...]:
        """A list of mappings, each named by its position in problems: `segments[3]`."""
        if not self.has(key):
            return ()
        node = self._nodes[key]
        if not isinstance(node, Sequence):
            self.wrong(key, ValueProblem("must be a list", "phải là một danh sách"))
            return ()
        return tuple(
            Fields(self.log, item, f"{self._at(key)}[{number}]", known)
            for number, item in enumerate(node.items, 1)
        )

    def node(self, key: str) -> Node | None:
        """The raw tree below a key, for forms that are neither list nor mapping of fields."""
        return self._nodes.get(key) if self.has(key) else None

    def pairs(self, key: str) -> tuple[tuple[str, int, Node], ...]:
        """The entries of a mapping whose keys are the user's own words."""
        node = self.node(key)
        if node is None:
            return ()
        if not isinstance(node, Mapping):
            self.wrong(
                key, ValueProblem("must be keys with values", "phải gồm các khoá và giá trị")
            )
            return ()
        return node.entries
