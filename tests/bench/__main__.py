"""`make bench`: filterd beside its peers in one run, as ratios. See `--help`.

Parts, in this order: `main` (blocked, cached, mixed and new names, latency at fixed rates, memory
and start), `workers` (two of them), `streams` (TCP, DoT, DoH), `reload` (lists and policy under
load), `growth` (with what a school has, as a plot) and `lists` (compiling, refreshing). A part that
fails is told; the others run.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench import (
    bench_growth,
    bench_lists,
    bench_reload,
    plots,
    servers,
    streams,
    tables,
    workload,
)
from tests.bench.load import Shot, dnsperf, memory_mib
from tests.bench.peers import PEERS

LOADS = ("blocked", "cached", "mix", "miss")
FORMS = ((1, 1), (2, 1), (2, 2))
"""(workers, cores)"""
LATENCY_SHOTS = 2
"""So many times the rounds: the tails of some are the machine's."""
PARTS = ("main", "workers", "streams", "reload", "growth", "lists")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench BENCH_ARGS=…", description=__doc__)
    parser.add_argument("--names", type=int, default=1_000_000, help="listed names to load")
    parser.add_argument("--rounds", type=int, default=3, help="shots per server and load")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a shot")
    parser.add_argument(
        "--rates", type=int, nargs="*", default=[5000, 20000], help="q/s for latency"
    )
    parser.add_argument("--peers", nargs="*", default=[peer.program for peer in PEERS])
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=PARTS)
    parser.add_argument("--quick", action="store_true", help="100,000 names, one short round")
    parser.add_argument("--no-lists", action="store_true", help="leave the part about lists out")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the tables")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.names, chosen.rounds, chosen.seconds = 100_000, 1, 2.0
    return chosen


class Run:
    """One run: its scratch folder, the workload and the stub that all parts use."""

    def __init__(self, chosen: argparse.Namespace, folder: Path, upstream: int) -> None:
        self.chosen = chosen
        self.folder = folder
        self.upstream = upstream
        self.work = workload.make(folder / "work", chosen.names)
        self.busy = os.getloadavg()[0]

    def main(self) -> dict[str, Any]:
        """Every server side by side."""
        listed, missing = self.work.listed_sample, list[str]()
        with contextlib.ExitStack() as on:
            own = servers.serve_filterd(
                self.folder / "filterd", self.work.list_file, self.upstream, listed
            )
            running = [on.enter_context(own)]
            for peer in PEERS:
                version = peer.installed_version()
                if peer.program not in self.chosen.peers:
                    continue
                if version is None:
                    missing.append(peer.title)
                    continue
                home = self.folder / peer.program
                server = servers.serve_peer(
                    peer, version, home, self.work.list_file, self.upstream, listed
                )
                running.append(on.enter_context(server))
            running.append(on.enter_context(servers.floor(self.folder)))
            shots = self._shots(running)
            found = tables.result(self.work, running, shots, missing, self.busy)
        return found | {"plots": [str(path) for path in plots.latency(found)]}

    def workers(self) -> dict[str, Any]:
        """One worker, two on its core and two on two cores, in turns, and the C responder likewise.
        On a machine of two cores the load generator has one of them too; what a query costs there
        shows all the same whether two workers hinder each other, and the responder what the machine
        allows."""
        with contextlib.ExitStack() as on:
            own = [
                on.enter_context(
                    servers.serve_filterd(
                        self.folder / f"workers{workers}on{cores}", self.work.list_file,
                        self.upstream, self.work.listed_sample, workers, cores,
                    )
                )
                for workers, cores in FORMS
            ]  # fmt: skip
            floor = [
                on.enter_context(servers.floor(self.folder, cores, processes))
                for processes, cores in FORMS
            ]
            for running in own:
                dnsperf(running.port, self.work.warm, running.pids(), seconds=2, rate=5000)
            shots: dict[str, list[list[Shot]]] = {}
            for number, load in itertools.product(range(self.chosen.rounds), LOADS):
                queries = self.work.asked(load, number)
                taken = shots.setdefault(load, [[] for _ in (*own, *floor)])
                for running, each in zip((*own, *floor), taken, strict=True):
                    each.append(self._shot(running, queries))
            memory = [memory_mib(running.pids())[1] for running in own]
        count = len(own)
        return tables.workers(
            {load: taken[:count] for load, taken in shots.items()},
            memory,
            {load: taken[count:] for load, taken in shots.items() if load == "cached"},
        )

    def streams(self) -> dict[str, Any]:
        """TCP, DoT and DoH."""
        folder, rounds = self.folder / "streams", self.chosen.rounds
        shots = streams.measure(folder, self.work, self.upstream, rounds, 2.0)
        return tables.streams(shots)

    def reload(self) -> dict[str, Any]:
        """Lists and policy changed under load."""
        rounds, rate = self.chosen.rounds, max(self.chosen.rates, default=20_000)
        with bench_reload.prepared(self.folder / "reload", self.chosen.names, 2) as ready:
            found = bench_reload.measure(*ready, rate, rounds)
            pss = ready[0].pss_mib
        said = bench_reload.text(found, self.chosen.names, rate, pss)
        return {"shots": [asdict(one) for one in found], "text": said}

    def growth(self) -> dict[str, Any]:
        """Cost by what a school has, and the plot of it."""
        names = [n for n in bench_growth.NAMES if n <= self.chosen.names or not self.chosen.quick]
        rounds = 2 * self.chosen.rounds

        async def measured() -> dict[str, list[bench_growth.Point]]:
            return bench_growth.measure(self.folder / "growth", names, 3000, rounds)

        found = asyncio.run(measured())
        series = {key: [[p.count, p.cpu_us] for p in points] for key, points in found.items()}
        return {"series": series, "plot": str(bench_growth.plot(found)),
                "text": bench_growth.text(found)}  # fmt: skip

    def lists(self) -> dict[str, Any]:
        """Compiling and refreshing, by the lists' own benchmark."""
        if self.chosen.no_lists or not bench_lists.DATA.is_dir():
            return {"left_out": "not wanted, or no shared data"}
        return bench_lists.run(self.chosen.quick)

    def _shots(self, running: list[servers.Running]) -> dict[str, dict[str, list[Shot]]]:
        """Shots by server and load, taken in turns so that noise falls on all alike."""
        shots: dict[str, dict[str, list[Shot]]] = {one.title: {} for one in running}
        for one in running:
            one.weigh()
            dnsperf(one.port, self.work.warm, one.pids(), seconds=2, rate=5000)
        plan: list[tuple[str, int | None]] = [
            (load, None) for load in LOADS for _ in range(self.chosen.rounds)
        ]
        plan += [
            ("mix", rate)
            for _ in range(LATENCY_SHOTS * self.chosen.rounds)
            for rate in self.chosen.rates
        ]
        for step, (load, rate) in enumerate(plan, 1):
            queries = self.work.asked(load, step)
            for one in running:
                note = f"\r{step}/{len(plan)} {load} {rate or ''} {one.title:30}"
                print(note, end="", file=sys.stderr)
                name = f"{load}@{rate}" if rate else load
                shots[one.title].setdefault(name, []).append(self._shot(one, queries, rate))
        print(file=sys.stderr)
        return shots

    def _shot(self, one: servers.Running, queries: Path, rate: int | None = None) -> Shot:
        return dnsperf(one.port, queries, one.pids(), seconds=self.chosen.seconds, rate=rate)


def main() -> int:
    """Set everything up, measure, print; 1 when a part could not be measured."""
    chosen, began = arguments(), time.monotonic()
    result: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory(prefix="filterd-bench-") as scratch,
        servers.stub(Path(scratch)) as upstream,
    ):
        run = Run(chosen, Path(scratch), upstream)
        parts: dict[str, Callable[[], Any]] = {name: getattr(run, name) for name in PARTS}
        for name in chosen.parts:
            print(f"{name} …", file=sys.stderr)
            try:
                result[name] = parts[name]()
            except Exception as error:  # the other parts are still worth having
                result[name] = {"failed": f"{type(error).__name__}: {error}"}
            if not chosen.json:
                print(tables.part(name, result[name]), end="\n\n", flush=True)
    result["seconds"] = round(time.monotonic() - began)
    if chosen.json:
        print(json.dumps(result))
    else:
        print(f"measured in {result['seconds']} s")
    return int(any("failed" in found for found in result.values() if isinstance(found, dict)))


if __name__ == "__main__":
    sys.exit(main())
