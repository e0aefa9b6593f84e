"""A list as it was read: names grouped by what they mean, rules, addresses, what was dropped.

The step between a file and the index.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from filterd.lists.entry import (
    Address,
    Clients,
    Dropped,
    Entry,
    Item,
    Network,
    Only,
    Rewrite,
    Rule,
    Why,
)
from filterd.wire.names import Name

SAMPLES = 5
SAMPLE_CHARS = 160
PIECE_BYTES = 1 << 20


def key_of(name: str) -> bytes:
    """The index key of a name: spelled backwards, a dot behind it."""
    return (name[::-1] + ".").encode("ascii")


FIRST_HALF = (b"moc.", b"ten.", b"gro.")
"""Names under com, net and org: half of every list. The index is built in halves."""


class Column(NamedTuple):
    """Keys of one half, joined by line feeds, and the line of each in 4 octets."""

    keys: bytes
    lines: bytes


def half_of(key: bytes) -> int:
    """The half a key belongs to: 0 or 1."""
    return 0 if key.startswith(FIRST_HALF) else 1


def name_of_key(key: bytes) -> Name:
    """The name whose key this is."""
    return Name(key[-2::-1].decode("ascii"))


@dataclass(slots=True)
class Group:
    """Names with the same flags: keys joined by line feeds, and the line of each."""

    keys: list[bytes] = field(default_factory=list)
    lines: array[int] = field(default_factory=lambda: array("I"))

    def joined(self) -> bytes:
        """All keys as one text."""
        return b"\n".join(self.keys)

    def pairs(self) -> Iterator[tuple[list[bytes], array[int]]]:
        """Keys and their lines, some ten thousands at a time (bounded memory)."""
        at = 0
        for text in self.keys:
            start = 0
            while start < len(text):
                cut = text.find(b"\n", start + PIECE_BYTES)
                end = cut if cut >= 0 else len(text)
                keys = text[start:end].split(b"\n")
                yield keys, self.lines[at : at + len(keys)]
                at += len(keys)
                start = end + 1


@dataclass(slots=True)
class Parsed:
    """Everything one list file says. `groups` are by flags and half (see `half_of`)."""

    groups: dict[tuple[int, int], Group] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    addresses: list[Address] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    lines: int = 0
    _buffer: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)

    def add_run(self, flags: int, columns: Iterable[Column]) -> None:
        """A run of keys with their lines, by halves."""
        self.flush()
        for half, column in enumerate(columns):
            if column.keys:
                group = self.groups.setdefault((flags, half), Group())
                group.keys.append(column.keys)
                group.lines.frombytes(column.lines)

    def add(self, item: Item) -> None:
        """One item of a parser."""
        if isinstance(item, Entry):
            key = key_of(item.name)
            place = (item.flags, half_of(key))
            self._buffer.setdefault(place, []).append(key)
            self.groups.setdefault(place, Group()).lines.append(item.line)
        elif isinstance(item, Rule):
            self.rules.append(item)
        elif isinstance(item, Address):
            self.addresses.append(item)
        else:
            self.drop(item)

    def drop(self, item: Dropped) -> None:
        """Count a dropped line and keep the first few as samples."""
        self.dropped[item.why.value] += 1
        kept = self.samples.setdefault(item.why.value, [])
        if len(kept) < SAMPLES:
            kept.append((item.line, item.text[:SAMPLE_CHARS]))

    def flush(self) -> None:
        """Move single entries behind the runs; called before a run and at the end."""
        for place, keys in self._buffer.items():
            self.groups[place].keys.append(b"\n".join(keys))
        self._buffer.clear()

    @property
    def names(self) -> int:
        """How many names are listed, duplicates included."""
        return sum(len(group.lines) for group in self.groups.values())


def gather(items: Iterable[Item], into: Parsed) -> Parsed:
    """Put every item where it belongs."""
    for item in items:
        if isinstance(item, Dropped) and item.text == "\0":
            item = Dropped(item.line, Why.LONG_LINE, "")
        into.add(item)
    into.flush()
    return into


def rule_to_json(rule: Rule) -> dict[str, Any]:
    """A rule as JSON, without the fields that have their default."""
    found: dict[str, Any] = {}
    for each in dataclasses.fields(rule):
        value = getattr(rule, each.name)
        if value != each.default:
            found[each.name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, (frozenset, tuple)):
        return (
            sorted((_plain(item) for item in value), key=str)
            if isinstance(value, frozenset)
            else [_plain(item) for item in value]
        )
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (ipaddress.IPv4Network, ipaddress.IPv6Network)):
        return str(value)
    return value


def rule_from_json(found: dict[str, Any]) -> Rule:
    """The rule that `rule_to_json` wrote."""
    values = dict(found)
    if clients := values.get("clients"):
        values["clients"] = Clients(
            frozenset(clients["names"]), _networks(clients["networks"]),
            frozenset(clients["not_names"]), _networks(clients["not_networks"]),
        )  # fmt: skip
    for name in ("tags", "types"):
        if only := values.get(name):
            values[name] = Only(frozenset(only["of"]), frozenset(only["never"]))
    if "denyallow" in values:
        values["denyallow"] = tuple(values["denyallow"])
    if rewrite := values.get("rewrite"):
        values["rewrite"] = Rewrite(**rewrite)
    return Rule(**values)


def _networks(texts: Iterable[str]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)
