"""A new version of a list, read in a process of its own: figures, and how it differs from the old.

`python -m filterd.lists.examine`, a request on stdin, one JSON line on stdout. What comes from the
Internet is parsed here and in the compiler only, both limited in memory and time.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from filterd.errors import ListError
from filterd.lists import reader
from filterd.lists.cached import read
from filterd.lists.compile import limit
from filterd.lists.entry import EXCEPTION, Why
from filterd.lists.job import JobList
from filterd.lists.memory import Loaded
from filterd.lists.parsed import name_of_key
from filterd.lists.protect import protected

SAMPLES = 10
HEAD_BYTES = 4096
MISTAKES = frozenset((Why.SYNTAX, Why.NOT_A_NAME, Why.BAD_MODIFIER, Why.LONG_LINE))
"""Lines that no writer of a list means; what is merely not for DNS does not count."""


def main() -> int:
    """Exit code 0, or 1 with an `error` line."""
    try:
        asked = json.loads(sys.stdin.read())
        limit(asked["memory_mib"])
        print(json.dumps({"done": _examine(asked)}))
    except MemoryError:
        print(json.dumps({"error": "reading it takes more memory than a list may use"}))
        return 1
    except (ListError, OSError) as error:
        print(json.dumps({"error": str(error)}))
        return 1
    return 0


def _examine(asked: dict[str, Any]) -> dict[str, Any]:
    wanted = JobList(**asked["list"])
    head = _head(Path(wanted.path)) if not wanted.members else b""
    if why := spoilt(head):
        raise ListError(why)
    loaded = list(read(wanted, asked["cache"], []))
    keys = _keys(loaded)
    rules = sum(len(each.parsed.rules) + len(each.parsed.addresses) for each in loaded)
    dropped = sum((Counter(each.parsed.dropped) for each in loaded), Counter[str]())
    found = {
        "entries": len(keys) + rules,
        "lines": sum(each.parsed.lines for each in loaded),
        "mistakes": sum(dropped[why] for why in MISTAKES),
        "dropped": dropped,
        "protected": sorted(_protected_hits(loaded, asked["protected"], keys)),
        "before": 0, "added": 0, "removed": 0, "added_samples": [], "removed_samples": [],
    }  # fmt: skip
    if asked.get("old"):
        found |= _compare(JobList(**asked["old"]), asked["cache"], keys)
    return found


def _head(path: Path) -> bytes:
    with reader.opened(path) as plain:
        return plain.read(HEAD_BYTES)


def spoilt(head: bytes) -> str | None:
    """Why this is no list at all: a web page, or binary; from its first octets."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "the list is UTF-16: only UTF-8 is read"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<script", b"<body")):
        return "it is a web page, not a list (a login page?)"
    odd = sum(octet < 9 or 13 < octet < 32 or octet == 127 for octet in head)
    if odd * 50 > len(head):
        return "it is binary, not text"
    return None


def _keys(loaded: Iterable[Loaded]) -> set[bytes]:
    """Blocked names as keys: the difference of two sets is what an update changes."""
    return {
        key
        for each in loaded
        for (flags, _), group in each.parsed.groups.items()
        if not flags & EXCEPTION
        for keys, _ in group.pairs()
        for key in keys
    }


def _compare(old: JobList, cache: str | None, keys: set[bytes]) -> dict[str, Any]:
    before = list(read(old, cache, []))
    old_keys = _keys(before)
    rules = sum(len(each.parsed.rules) + len(each.parsed.addresses) for each in before)
    added, removed = keys - old_keys, old_keys - keys
    return {
        "before": len(old_keys) + rules, "added": len(added), "removed": len(removed),
        "added_samples": _samples(added), "removed_samples": _samples(removed),
    }  # fmt: skip


def _samples(keys: set[bytes]) -> list[str]:
    return [name_of_key(key) for key in sorted(islice(keys, 1000), key=len)[:SAMPLES]]


def _protected_hits(
    loaded: Iterable[Loaded], names: Iterable[str], keys: set[bytes]
) -> Iterator[str]:
    guard = protected(names, suffixes=False)
    for guarded in guard.guarded():
        if guarded.key in keys and guarded.why is Why.PROTECTED:
            flags = _flags(loaded, guarded.key)
            if flags & guarded.scope:
                yield name_of_key(guarded.key)
    for each in loaded:
        for number in guard.hit_by(each.parsed.rules):
            yield each.parsed.rules[number].text


def _flags(loaded: Iterable[Loaded], key: bytes) -> int:
    found = 0
    for each in loaded:
        for (flags, _), group in each.parsed.groups.items():
            if not flags & EXCEPTION and any(key in keys for keys, _ in group.pairs()):
                found |= flags
    return found


if __name__ == "__main__":
    sys.exit(main())
