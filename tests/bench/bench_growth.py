"""Cost of a first refusal by the number of listed names: `python -m tests.bench.bench_growth`.

One index after the other, the same number of questions; the plot goes to tests/.out/growth.svg.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

import pygal

from filterd.upstream.pool import Pool
from filterd.upstream.settings import PoolSettings
from tests.bench import servers, workload
from tests.bench.bench_path import Bench, wire

OUT = Path(__file__).parents[1] / ".out"


async def cost(folder: Path, names: int, queries: int, rounds: int) -> float:
    """CPU µs of a name's first refusal with so many names listed, the best of some rounds."""
    folder.mkdir()
    _, listed = workload.listed_names(names)
    (folder / "names").write_text("\n".join(listed) + "\n", "ascii")
    servers.compile_lists(servers.settings(folder, 1, 1), folder, folder / "names")
    pool = Pool(PoolSettings(("udp://127.0.0.1:1",)))
    await pool.start()
    bench = Bench(folder / "policies", folder / "state/lists/index.fdx", pool)
    asked = [wire(name) for name in listed[:: max(1, names // queries)][:queries]]
    found: list[float] = []
    for _ in range(rounds):
        bench.forget()
        found.append(bench.at_once(asked))
    await pool.close()
    return min(found)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    points: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory(prefix="filterd-growth-") as scratch:
        for names in chosen.names:
            folder = Path(scratch) / str(names)
            spent = asyncio.run(cost(folder, names, chosen.queries, chosen.rounds))
            points.append((names, round(spent, 1)))
            print(f"{names:>12,} names {spent:8.1f} µs")
    OUT.mkdir(exist_ok=True)
    chart = pygal.Line(title="CPU µs of a first refusal by listed names", range=(0, 100))
    chart.x_labels = [f"{names:,}" for names, _ in points]
    chart.add("µs", [spent for _, spent in points])
    chart.render_to_file(str(OUT / "growth.svg"))
    print(f"plot: {OUT / 'growth.svg'}")


if __name__ == "__main__":
    main()
