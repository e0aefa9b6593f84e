"""YAML text → a tree that remembers its lines; refuses what makes YAML dangerous.

Aliases (the "billion laughs"), tags, duplicate keys, several documents and deep nesting are
problems, not features. Knows nothing of policies; scalars stay text, `reader` gives them a type.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from filterd.errors import Problem

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as written; `plain` is False where it stood in quotes."""

    line: int
    text: str
    plain: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list, in order."""

    line: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with the line each stands in; every key once."""

    line: int
    entries: tuple[tuple[str, int, Node], ...]


Node: TypeAlias = "Scalar | Sequence | Mapping"


class TreeError(Exception):
    """The text is no tree; carries the one problem that ended the reading."""

    def __init__(self, line: int | None, en: str, vi: str) -> None:
        super().__init__(en)
        self.line, self.en, self.vi = line, en, vi


def read_tree(file: str, text: str) -> Node | Problem:
    """The tree of a document, or what is wrong with it. An empty document is an empty mapping."""
    try:
        return _read(text)
    except TreeError as error:
        return Problem(file, error.line, "(yaml)", error.en, message_vi=error.vi)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else None
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "bad text"
        return Problem(
            file, line, "(yaml)", f"not YAML: {reason}", message_vi=f"không phải YAML: {reason}"
        )


def _read(text: str) -> Node:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise TreeError(None, "larger than 8 MiB", "lớn hơn 8 MiB")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    events = iter(yaml.parse(text, Loader=loader))
    found: Node | None = None
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            if found is not None:
                raise TreeError(_line(event), "a second document", "có tài liệu thứ hai")
            found = _node(next(events), events, 0)
    if found is None or (isinstance(found, Scalar) and found.plain and found.text in ("", "null")):
        return Mapping(1, ())
    return found


def _node(event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
    line = _line(event)
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise TreeError(
            line, "anchors and aliases (& *) are refused", "không dùng được neo và bí danh (& *)"
        )
    if depth > MAX_DEPTH:
        raise TreeError(line, "nested too deeply", "lồng nhau quá sâu")
    tag = getattr(event, "tag", None)
    if tag and tag != "!":
        raise TreeError(line, f"tags are refused: {tag}", f"không dùng được thẻ: {tag}")
    if isinstance(event, yaml.ScalarEvent):
        return Scalar(line, str(event.value), event.style is None)
    if isinstance(event, yaml.SequenceStartEvent):
        return Sequence(line, tuple(_items(events, depth)))
    return Mapping(line, tuple(_entries(events, depth)))


def _items(events: Iterator[yaml.Event], depth: int) -> Iterator[Node]:
    while not isinstance(event := next(events), yaml.SequenceEndEvent):
        yield _node(event, events, depth + 1)


def _entries(events: Iterator[yaml.Event], depth: int) -> Iterator[tuple[str, int, Node]]:
    seen: dict[str, int] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        key = _node(event, events, depth + 1)
        if not isinstance(key, Scalar):
            raise TreeError(key.line, "a key must be a word", "khoá phải là một từ")
        if key.text in seen:
            first = seen[key.text]
            raise TreeError(
                key.line,
                f"key {key.text!r} stands twice (first in line {first})",
                f"khoá {key.text!r} có hai lần (lần đầu ở dòng {first})",
            )
        seen[key.text] = key.line
        yield key.text, key.line, _node(next(events), events, depth + 1)


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return int(mark.line) + 1 if mark is not None else 1
