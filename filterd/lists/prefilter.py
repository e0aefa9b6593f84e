"""Which of many expressions a name can match at all, by pieces of text that each one requires.

An automaton of 20,000 expressions takes 5 ms for a name (measured); looking up the pieces of the
name takes 10 µs and leaves two or three expressions to try, which costs 20 µs each for the first
time, since they are compiled only then (`expressions`). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

LONG, SHORT = 4, 3
"""Octets of the pieces; an expression with a longer required text is found by a longer piece."""

_PLAIN = re.compile(r"[a-z0-9_-]|\\[._-]", re.I)
_GROUP_FLAGS = re.compile(r"\(\?[a-z]*\)", re.I)
_OPTIONAL = re.compile(r"(?:\*|\?|\{0*(?:,[0-9]*)?\})\??")
_REPEATED = re.compile(r"(?:\+|\{[0-9]+(?:,[0-9]*)?\})\??")
_BEGIN = re.compile(r"\^((?:[a-z0-9_-]|\\[._-])+)(?![*?+{])", re.I)


@lru_cache(maxsize=4096)  # new lists bring mostly the expressions of the old ones
def begins(pattern: str) -> str:
    """What every name it matches begins with, lower case; only for one that `required` reads."""
    found = _BEGIN.match(pattern)
    return found[1].replace("\\", "").lower() if found else ""


@lru_cache(maxsize=4096)
def required(pattern: str) -> tuple[str, ...]:
    """Texts that every match contains, lower case, the longest first; none when that is not sure.

    Only what stands outside groups and classes is looked at, and nothing when there is a choice
    (`|`) or quoting (`\\Q`) outside them: missing a text costs time, inventing one costs matches.
    """
    runs, run, position = [""], "", 0
    while position < len(pattern):
        plain = _PLAIN.match(pattern, position)
        end = plain.end() if plain is not None else _skip(pattern, position)
        if end is None:
            return ()
        sign = plain[0][-1].lower() if plain is not None else ""
        optional, repeated = _OPTIONAL.match(pattern, end), _REPEATED.match(pattern, end)
        if sign and not optional:
            run += sign
        if not sign or optional or repeated:
            runs.append(run)
            run = ""
        times = optional or repeated
        position = times.end() if times is not None else end
    return tuple(sorted({*runs, run} - {""}, key=lambda text: (-len(text), text)))


def _skip(pattern: str, position: int) -> int | None:
    """The position behind what stands here, or None where reading on is not safe."""
    sign = pattern[position]
    if sign == "|":
        return None
    if sign == "\\":
        return None if pattern[position + 1 : position + 2] in ("Q", "") else position + 2
    if sign == "[":
        return _class_end(pattern, position)
    if sign == "(":
        flags = _GROUP_FLAGS.match(pattern, position)
        return flags.end() if flags else _group_end(pattern, position)
    return position + 1


def _class_end(pattern: str, position: int) -> int | None:
    position += 1
    if pattern[position : position + 1] == "^":
        position += 1
    first = True
    while position < len(pattern):
        sign = pattern[position]
        if sign == "]" and not first:
            return position + 1
        if pattern.startswith("[:", position):
            position = pattern.find(":]", position) + 1
            if not position:
                return None
        position += 2 if sign == "\\" else 1
        first = False
    return None


def _group_end(pattern: str, position: int) -> int | None:
    depth = 0
    while position < len(pattern):
        sign = pattern[position]
        if sign == "\\" and pattern[position + 1 : position + 2] == "Q":
            return None
        if sign == "[":
            end = _class_end(pattern, position)
            if end is None:
                return None
            position = end
            continue
        depth += (sign == "(") - (sign == ")")
        position += 2 if sign == "\\" else 1
        if not depth:
            return position
    return None


class Prefilter:
    """Expressions by a piece of their required text; each is in one place, the emptiest."""

    def __init__(self) -> None:
        self._long: dict[str, list[int]] = {}
        self._short: dict[str, list[int]] = {}
        self._texts: dict[int, tuple[str, tuple[str, ...]]] = {}

    def add(self, number: int, pattern: str) -> bool:
        """Take an expression in; False when it requires no text that is long enough."""
        texts = required(pattern)
        text = texts[0] if texts else ""
        if len(text) < SHORT:
            return False
        self._texts[number] = begins(pattern), tuple(each for each in texts if len(each) > 1)
        size, places = (LONG, self._long) if len(text) >= LONG else (SHORT, self._short)
        pieces = {each[at : at + size] for each in texts for at in range(len(each) - size + 1)}
        emptiest = min(sorted(pieces), key=lambda piece: len(places.get(piece, ())))
        places.setdefault(emptiest, []).append(number)
        return True

    @property
    def pieces(self) -> Iterator[str]:
        """Every piece that an expression was kept by."""
        yield from self._long
        yield from self._short

    def candidates(self, name: str) -> Iterator[int]:
        """Numbers of the expressions whose required texts `name` has."""
        for size, places in ((LONG, self._long), (SHORT, self._short)):
            if places:
                seen = {name[at : at + size] for at in range(len(name) - size + 1)}
                for piece in places.keys() & seen if len(places) < len(seen) else seen:
                    for number in places.get(piece, ()):
                        begin, texts = self._texts[number]
                        if name.startswith(begin) and all(text in name for text in texts):
                            yield number
