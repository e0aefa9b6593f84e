"""From lists that were read to one index file, on two cores, with the figures about them.

Runs in the compiler process only: it forks, and takes hundreds of megabytes for millions of names.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filterd.errors import ListError
from filterd.lists import addresses, fdx, guard, shard
from filterd.lists.badfilter import Cancelled, cancelled
from filterd.lists.entry import Rule, Why
from filterd.lists.memory import Loaded
from filterd.lists.parsed import Parsed, half_of, name_of_key, rule_to_json
from filterd.lists.protect import Guarded, Protection

HIT_SAMPLES = 20


@dataclass(slots=True)
class Figures:
    """What is known about one list of an index."""

    id: str
    category: str
    entries: int = 0
    unique: int = 0
    rules: int = 0
    addresses: int = 0
    lines: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    samples: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    protected_hits: list[str] = field(default_factory=list)
    shared: dict[str, int] = field(default_factory=dict)

    def count_dropped(self, why: str, count: int) -> None:
        """Add lines that were dropped for the reason `why`."""
        self.dropped[str(why)] = self.dropped.get(str(why), 0) + count


@dataclass(frozen=True, slots=True)
class Built:
    """An index that was written."""

    digest: str
    names: int
    rules: int
    dropped: int
    peak_rss_mib: float
    index_mib: float
    lists: tuple[Figures, ...]


Exempt = Callable[[int, Why], bool]
"""Whether a list (by number) may do what a protection forbids."""

Guards = Sequence[Guarded]


def build(lists: Sequence[Loaded], protection: Protection, exempt: Exempt, path: Path) -> Built:
    """Write the index of `lists` to `path`; ListError when it cannot be written."""
    figures = [_figures(loaded) for loaded in lists]
    gone = cancelled((loaded.meta, loaded.parsed.rules) for loaded in lists)
    rules = _rules(lists, gone, (protection, exempt), figures)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".compile-") as folder:
        work = Path(folder)
        halves = _halves(lists, gone, (protection, exempt), work)
        head = _head(lists, rules, halves, work) | {"protected": sorted(protection.names)}
        parts = {name: Path(part) for half in halves for name, part in half["parts"].items()}
        parts["rules"] = work / "rules"
        parts |= _addresses(lists, work) | guard.write(protection, work)
        digest = fdx.write(path, head, parts)
    _count(figures, halves)
    # A half's pages that it has from this process are counted here once, not three times.
    children = sum(half["rss_kib"] for half in halves)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Built(
        digest, sum(half["names"] for half in halves), sum(f.rules for f in figures),
        sum(sum(f.dropped.values()) for f in figures),
        round((own + children) / 1024, 1), round(path.stat().st_size / 2**20, 2), tuple(figures),
    )  # fmt: skip


def _figures(loaded: Loaded) -> Figures:
    parsed = loaded.parsed
    return Figures(
        loaded.meta.id, loaded.meta.category, lines=parsed.lines, addresses=len(parsed.addresses),
        dropped=dict(parsed.dropped), samples=dict(parsed.samples),
    )  # fmt: skip


def _rules(
    lists: Sequence[Loaded],
    gone: Sequence[Cancelled],
    guard: tuple[Protection, Exempt],
    figures: Sequence[Figures],
) -> list[tuple[int, Rule]]:
    """Rules that stay, with the numbers of their lists."""
    protection, exempt = guard
    kept: list[tuple[int, Rule]] = []
    for number, loaded in enumerate(lists):
        remaining = gone[number].remaining(loaded.parsed.rules)
        hit: list[int] = []
        if not exempt(number, Why.PROTECTED):
            hit = protection.hit_by(remaining)
        for at in hit:
            figures[number].count_dropped(Why.PROTECTED, 1)
            figures[number].protected_hits.append(remaining[at].text)
        chosen = [rule for at, rule in enumerate(remaining) if at not in set(hit)]
        figures[number].rules = len(chosen)
        kept += [(number, rule) for rule in chosen]
    return kept


def _halves(
    lists: Sequence[Loaded],
    gone: Sequence[Cancelled],
    guard: tuple[Protection, Exempt],
    work: Path,
) -> list[dict[str, Any]]:
    """Build both halves at the same time, each in a forked process; their reports."""

    def skip(number: int, flags: int) -> frozenset[bytes]:
        return frozenset(key for theirs, key in gone[number].names if theirs == flags)

    parsed = [loaded.parsed for loaded in lists]
    guarded = tuple(guard[0].guarded())
    children = [
        (name, fork(lambda name=name: _half(name, parsed, (skip, guarded, guard[1]), work)))  # type: ignore[misc]
        for name in shard.HALVES
    ]
    failed = [name for name, child in children if os.waitpid(child, 0)[1] != 0]
    if failed:
        raise ListError(f"the compiler ran out of memory or was killed (half {failed[0]})")
    return [json.loads((work / f"{name}.json").read_text()) for name in shard.HALVES]


def fork(work: Callable[[], None]) -> int:
    """Run `work` in a copy of this process; the copy's pid. It exits with 0 unless work raised."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _half(
    name: str, lists: Sequence[Parsed], guard: tuple[shard.Skip, Guards, Exempt], work: Path
) -> None:
    skip, guards, exempt = guard
    inherited = _resident_kib()
    which = shard.HALVES.index(name)
    half = shard.build(which, lists, skip)
    mine = [guarded for guarded in guards if half_of(guarded.key) == which]
    shard.silence(half, mine, exempt)
    parts = half.write(work, name)
    report = {
        "names": len(half.trie),
        "pairs": half.pairs,
        "counts": sorted(Counter(half.sets).items()),
        "silenced": [[number, why, n] for (number, why), n in half.silenced.items()],
        "hits": [[number, name_of_key(key)] for number, key in half.hits],
        "parts": {part: str(path) for part, path in parts.items()},
        "rss_kib": max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - inherited, 0),
    }
    (work / f"{name}.json").write_text(json.dumps(report))


def _resident_kib() -> int:
    """What this process holds now, which at its start is all its parent's."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


def _head(
    lists: Sequence[Loaded],
    rules: Sequence[tuple[int, Rule]],
    halves: Sequence[dict[str, Any]],
    work: Path,
) -> dict[str, Any]:
    body = {"rules": [[n, rule_to_json(rule)] for n, rule in rules]}
    (work / "rules").write_text(json.dumps(body, separators=(",", ":")))
    metas = [loaded.meta for loaded in lists]
    return {
        "lists": [[m.id, m.category, m.format, m.file] for m in metas],
        "names": sum(half["names"] for half in halves),
        "pairs": {name: half["pairs"] for name, half in zip(shard.HALVES, halves, strict=True)},
    }


def _addresses(lists: Sequence[Loaded], work: Path) -> dict[str, Path]:
    """Section files of the address lists."""
    entries = (
        (number, found) for number, loaded in enumerate(lists) for found in loaded.parsed.addresses
    )
    parts = {name: work / name for name in addresses.SECTIONS}
    for name, column in addresses.columns(entries).items():
        parts[name].write_bytes(column.tobytes())
    return parts


def _count(figures: Sequence[Figures], halves: Sequence[dict[str, Any]]) -> None:
    """Entries, unique contribution and overlaps, from how often each set of lists occurs."""
    for half in halves:
        pairs = [frozenset(number for number, _ in found) for found in half["pairs"]]
        for set_number, count in half["counts"]:
            members = pairs[set_number]
            for number in members:
                mine = figures[number]
                mine.entries += count
                mine.unique += count if len(members) == 1 else 0
                for other in members - {number}:
                    theirs = figures[other].id
                    mine.shared[theirs] = mine.shared.get(theirs, 0) + count
        for number, why, count in half["silenced"]:
            figures[number].count_dropped(why, count)
            kept = figures[number].samples.setdefault(why, [])
            kept += [(0, name) for n, name in half["hits"] if n == number][: 5 - len(kept)]
        for number, name in half["hits"]:
            if len(figures[number].protected_hits) < HIT_SAMPLES:
                figures[number].protected_hits.append(name)
