"""Cost of a first answer by the size of what a school has: `python -m tests.bench.bench_growth`.

Listed names, segments and overrides grow, one at a time, with the same number of questions; the
plot goes to tests/.out/growth.svg. Memoised answers do not look at any of these.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pygal
import yaml

from filterd.upstream.pool import Pool
from filterd.upstream.settings import PoolSettings
from tests.bench import servers, workload
from tests.bench.bench_path import Bench, wire

OUT = Path(__file__).parents[1] / ".out"
FLAT = 1.15
"""The largest may cost so much of the smallest: "flat within 15 %"."""
NAMES = (10_000, 100_000, 1_000_000, 10_000_000)
FEW_NAMES = NAMES[0]


@dataclass(frozen=True, slots=True)
class Point:
    """CPU µs of a first refusal with so many."""

    count: int
    cpu_us: float


def _segments(count: int) -> Callable[[dict[str, object]], None]:
    def grow(school: dict[str, object]) -> None:
        own = {"id": "bench", "network": "127.0.0.0/8", "tier": "staff"}
        school["segments"] = [own] + [
            {"id": f"s{n}", "network": f"10.{n >> 8}.{n & 255}.0/24", "tier": "staff"}
            for n in range(count - 1)
        ]

    return grow


def _overrides(count: int) -> Callable[[dict[str, object]], None]:
    def grow(school: dict[str, object]) -> None:
        school["overrides"] = [
            {"name": f"o{n}.example", "action": "block", "reason": "growth", "author": "bench"}
            for n in range(count)
        ]

    return grow


def cost(
    folder: Path, names: int, queries: int, grow: Callable[[dict[str, object]], None] | None = None
) -> Callable[[], float]:
    """A measurement, ready to be taken: CPU µs of a name's first refusal."""
    folder.mkdir(parents=True)
    _, listed = workload.listed_names(names)
    (folder / "names").write_text("\n".join(listed) + "\n", "ascii")
    servers.compile_lists(servers.settings(folder, 1, 1), folder, folder / "names")
    path = folder / "policies" / "school.yaml"
    if grow is not None:
        school = yaml.safe_load(path.read_text("utf-8"))
        grow(school)
        path.write_text(yaml.safe_dump(school, allow_unicode=True), "utf-8")
    pool = Pool(PoolSettings(("udp://127.0.0.1:1",)))
    bench = Bench(folder / "policies", folder / "state/lists/index.fdx", pool)
    asked = [wire(name) for name in listed[:: max(1, names // queries)][:queries]]

    def take() -> float:
        bench.forget()
        return bench.at_once(asked)

    return take


def series(takes: Sequence[tuple[int, Callable[[], float]]], rounds: int) -> list[Point]:
    """The best of some rounds, taken in turns so that noise falls on all alike."""
    best: dict[int, float] = {}
    for _ in range(rounds):
        for count, take in takes:
            best[count] = min(take(), best.get(count, float("inf")))
    return [Point(count, round(spent, 1)) for count, spent in best.items()]


def measure(
    folder: Path, names: Sequence[int], queries: int, rounds: int
) -> dict[str, list[Point]]:
    """All series."""
    by_names = [(n, cost(folder / f"names{n}", n, queries)) for n in names]
    by_segments = [
        (n, cost(folder / f"segments{n}", FEW_NAMES, queries, _segments(n)))
        for n in (1, 100, 10_000)
    ]
    by_overrides = [
        (n, cost(folder / f"overrides{n}", FEW_NAMES, queries, _overrides(n))) for n in (1, 50, 500)
    ]
    return {
        "listed names": series(by_names, rounds),
        "segments": series(by_segments, rounds),
        "overrides": series(by_overrides, rounds),
    }


def text(found: dict[str, list[Point]]) -> str:
    """The table people read."""
    lines = [f"{'growth: CPU µs of a first refusal':36}{'by':>12}{'µs':>8}{'ratio':>8}"]
    for title, points in found.items():
        for point in points:
            ratio = point.cpu_us / points[0].cpu_us
            note = "" if ratio <= FLAT else "  more than 15 %"
            lines.append(f"{title:36}{point.count:>12,}{point.cpu_us:>8}{ratio:>8.2f}{note}")
    return "\n".join(lines)


def plot(found: dict[str, list[Point]]) -> Path:
    """One line a series, each beginning at its smallest; logarithmic in what grows."""
    OUT.mkdir(exist_ok=True)
    chart = pygal.XY(
        title="CPU µs of a first refusal", x_title="log10 of how many", range=(0, 100)
    )  # fmt: skip
    for title, points in found.items():
        chart.add(title, [(len(str(point.count)) - 1, point.cpu_us) for point in points])
    chart.render_to_file(str(OUT / "growth.svg"))
    return OUT / "growth.svg"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, nargs="*", default=list(NAMES))
    parser.add_argument("--queries", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="filterd-growth-") as scratch:
        found = asyncio.run(_measured(Path(scratch), chosen))
    if chosen.json:
        print(json.dumps({k: [[p.count, p.cpu_us] for p in v] for k, v in found.items()}))
    else:
        print(text(found))
        print(f"plot: {plot(found)}")


async def _measured(folder: Path, chosen: argparse.Namespace) -> dict[str, list[Point]]:
    """The handler belongs to a running loop, though nothing here waits."""
    return measure(folder, chosen.names, chosen.queries, chosen.rounds)


if __name__ == "__main__":
    main()
