"""What the benchmark asks: listed names, names to forward, and the mixes of them.

Names come from the shared full-size lists when they are beside the checkout, else they are made
from a seed; either way the same arguments give the same files.
"""

from __future__ import annotations

import lzma
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

SHARED = Path(os.environ.get("FILTERD_SHARED", Path(__file__).parents[3] / "shared"))
CACHED_NAMES = 5000
LINES = 100_000
_WITH_NEW_NAMES = {"mix", "miss"}
_NEW_NAME = re.compile(r"^n[0-9a-f]+\.fresh-", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Workload:
    """Files for one run: the list to load and the query files in dnsperf's format."""

    names: int
    source: str
    list_file: Path
    warm: Path
    queries: dict[str, Path]
    listed_sample: str

    def asked(self, load: str, turn: int) -> Path:
        """The queries of a load for its `turn`-th shot: what nobody asked before is new in each, or
        every cache would know it from the second on. Good until the next call."""
        file = self.queries[load]
        if load not in _WITH_NEW_NAMES:
            return file
        text = _NEW_NAME.sub(rf"t{turn:x}\g<0>", file.read_text("ascii"))
        turned = file.with_name(f"{load}-turn.txt")
        turned.write_text(text, "ascii")
        return turned


def listed_names(count: int) -> tuple[str, list[str]]:
    """`count` names to block, and where they come from; beyond what the lists hold, made ones."""
    folder = SHARED / "data" / "fullsize"
    files = sorted(folder.glob("*.domains.xz"), key=lambda path: -path.stat().st_size)
    if files:
        names: list[str] = []
        for path in files:
            with lzma.open(path, "rt", encoding="ascii") as lines:
                names.extend(islice((line.strip() for line in lines), count - len(names)))
        if len(names) == count:
            return "full-size public lists", names
        public, names = len(names), names + list(islice(numbered(), count - len(names)))
        return f"{public:,} of full-size public lists, the rest made", names
    return "seeded synthetic names", list(islice(synthetic(), count))


def synthetic() -> Iterator[str]:
    """An endless stream of plausible distinct names."""
    chance = random.Random(20261121)
    seen: set[str] = set()
    suffixes = ("com", "net", "org", "vn", "com.vn", "xyz", "top", "club", "info.vn")
    while True:
        label = "".join(
            chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=chance.randint(4, 14))
        )
        name = f"{label}.{chance.choice(suffixes)}"
        if name not in seen:
            seen.add(name)
            yield name


def numbered() -> Iterator[str]:
    """Distinct names by the million, without remembering which there were."""
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    for number in range(1 << 32):
        left = number * 2_654_435_761 & 0xFFFFFFFF  # odd: every number once, in no order
        label = "".join(letters[left >> shift & 31] for shift in (0, 5, 10, 15, 20, 25, 30))
        yield f"{label}-made.{('com', 'net', 'com.vn', 'top')[number & 3]}"


def make(folder: Path, count: int) -> Workload:
    """Write the list and the query files for `count` listed names under `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    source, names = listed_names(count)
    chance = random.Random(8)
    sample = chance.sample(names, min(20_000, len(names)))
    cached = [f"h{number}.allowed-{number % 97}.com" for number in range(CACHED_NAMES)]
    list_file = folder / "bench.domains"
    list_file.write_text("\n".join(names) + "\n", "ascii")
    warm = folder / "warm.txt"
    warm.write_text("".join(f"{name} A\n" for name in cached), "ascii")
    return Workload(
        len(names), source, list_file, warm, _query_files(folder, sample, cached), sample[0]
    )


def _query_files(folder: Path, sample: list[str], cached: list[str]) -> dict[str, Path]:
    chance = random.Random(9)
    fresh = (f"n{number:x}.fresh-{number % 89}.com" for number in range(1 << 40))

    def mixed() -> str:
        draw = chance.random()
        if draw < 0.10:
            return chance.choice(sample)
        return chance.choice(cached) if draw < 0.95 else next(fresh)

    plans = {
        "blocked": lambda: chance.choice(sample),
        "cached": lambda: chance.choice(cached),
        "mix": mixed,
        "miss": lambda: next(fresh),
    }
    files: dict[str, Path] = {}
    for title, draw in plans.items():
        lines = LINES * (10 if title in _WITH_NEW_NAMES else 1)
        files[title] = folder / f"{title}.txt"
        with files[title].open("w", encoding="ascii") as out:
            out.writelines(f"{draw()} A\n" for _ in range(lines))
    return files
