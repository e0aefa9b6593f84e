"""Cost of a question by the size of what a school has: `python -m tests.bench.bench_growth`.

Listed names, segments, devices and overrides grow, one at a time, with the same number of
questions; the plot goes to tests/.out/growth.svg. "served" is what a whole filterd costs for the
mix of questions that all figures are of (10 % refused, 85 % cached, 5 % new); the other series are
what one refusal costs that has to be judged in Python for the first time, which is the dearest
there is.

Sizes take turns, and a size is compared with the smallest of the same round: what slows the whole
machine for a while is in both.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pygal
import yaml

from filterd.upstream.pool import Pool
from filterd.upstream.settings import PoolSettings
from tests.bench import servers, workload
from tests.bench.bench_path import Bench, wire
from tests.bench.load import dnsperf

OUT = Path(__file__).parents[1] / ".out"
FLAT = 1.15
"""The largest may cost so much of the smallest: "flat within 15 %"."""
NAMES = (10_000, 100_000, 1_000_000, 10_000_000)
FEW_NAMES = NAMES[0]
SECONDS = 2.0
"""How long a shot at a whole filterd takes."""


@dataclass(frozen=True, slots=True)
class Point:
    """CPU µs with so many: the least of some rounds, by how much half of them were above it, and
    the median over the rounds of how often the smallest of the same round."""

    count: int
    cpu_us: float
    noise: float
    ratio: float


def _segments(count: int) -> Callable[[dict[str, object]], None]:
    def grow(school: dict[str, object]) -> None:
        own = {"id": "bench", "network": "127.0.0.0/8", "tier": "staff"}
        school["segments"] = [own] + [
            {"id": f"s{n}", "network": f"10.{n >> 8}.{n & 255}.0/24", "tier": "staff"}
            for n in range(count - 1)
        ]

    return grow


def _devices(count: int) -> Callable[[dict[str, object]], None]:
    def grow(school: dict[str, object]) -> None:
        school["devices"] = [
            {"mac": f"02:00:00:00:{n >> 8:02x}:{n & 255:02x}", "tier": "staff"}
            for n in range(count)
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
    """All sizes in turns, so that noise falls on all alike."""
    found: dict[int, list[float]] = {count: [] for count, _ in takes}
    for _ in range(rounds):
        for count, take in takes:
            found[count].append(take())
    smallest = found[takes[0][0]]
    points = []
    for count, spent in found.items():
        least, half = min(spent), statistics.median(spent)
        ratio = statistics.median(a / b for a, b in zip(spent, smallest, strict=True))
        points.append(Point(count, round(least, 1), round(half / least - 1, 2), round(ratio, 3)))
    return points


def served(folder: Path, names: Sequence[int], rounds: int, seconds: float) -> list[Point]:
    """A whole filterd of each size, side by side, in turns under the mix of the main benchmark;
    what `cost` compiled for these sizes is used again."""
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(servers.stub(folder))
        takes = []
        for count in names:
            home, port = folder / f"names{count}", servers.free_port()
            work = workload.make(home / "work", count)
            config = servers.settings(home, port, upstream)
            command = [servers.filterd(), "run", "--config", str(config)]
            run = servers.serve("filterd", "this tree", command, port, work.listed_sample)
            one = stack.enter_context(run)
            dnsperf(one.port, work.warm, one.pids(), seconds=2, rate=5000)
            takes.append((count, _shot(one, work.queries["mix"], seconds)))
        return series(takes, rounds)


def _shot(one: servers.Running, queries: Path, seconds: float) -> Callable[[], float]:
    return lambda: dnsperf(one.port, queries, one.pids(), seconds=seconds).cpu_us


def measure(
    folder: Path, names: Sequence[int], queries: int, rounds: int
) -> dict[str, list[Point]]:
    """All series."""
    by_names = [(n, cost(folder / f"names{n}", n, queries)) for n in names]
    by_segments = [
        (n, cost(folder / f"segments{n}", FEW_NAMES, queries, _segments(n)))
        for n in (1, 100, 10_000)
    ]
    by_devices = [
        (n, cost(folder / f"devices{n}", FEW_NAMES, queries, _devices(n))) for n in (1, 100, 10_000)
    ]
    by_overrides = [
        (n, cost(folder / f"overrides{n}", FEW_NAMES, queries, _overrides(n))) for n in (1, 50, 500)
    ]
    return {
        "listed names, served": served(folder, names, rounds, SECONDS),
        "listed names": series(by_names, rounds),
        "segments": series(by_segments, rounds),
        "devices": series(by_devices, rounds),
        "overrides": series(by_overrides, rounds),
    }


def text(found: dict[str, list[Point]]) -> str:
    """The table people read."""
    lines = [f"{'growth: CPU µs':36}{'by':>12}{'least':>8}{'noise':>8}{'ratio':>8}"]
    for title, points in found.items():
        for point in points:
            both = (point.cpu_us / points[0].cpu_us, point.ratio)
            note = "  more than 15 %" if min(both) > FLAT else "  too noisy to say"
            note = note if max(both) > FLAT else ""
            lines.append(
                f"{title:36}{point.count:>12,}{point.cpu_us:>8}{point.noise:>8.0%}"
                f"{point.ratio:>8.2f}{note}"
            )
    return "\n".join(lines)


def plot(found: dict[str, list[Point]]) -> Path:
    """One line a series; logarithmic in what grows."""
    OUT.mkdir(exist_ok=True)
    chart = pygal.XY(
        title="CPU µs of a question", x_title="log10 of how many", range=(0, 100)
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
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="filterd-growth-") as scratch:
        found = asyncio.run(_measured(Path(scratch), chosen))
    if chosen.json:
        print(json.dumps({k: [asdict(p) for p in v] for k, v in found.items()}))
    else:
        print(text(found))
        print(f"plot: {plot(found)}")


async def _measured(folder: Path, chosen: argparse.Namespace) -> dict[str, list[Point]]:
    """The handler belongs to a running loop, though nothing here waits."""
    return measure(folder, chosen.names, chosen.queries, chosen.rounds)


if __name__ == "__main__":
    main()
