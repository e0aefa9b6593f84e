"""`make bench`: filterd beside its peers in one run, as ratios. See `--help`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.bench import bench_lists, servers, tables, workload
from tests.bench.load import Shot, dnsperf
from tests.bench.peers import PEERS

LOADS = ("blocked", "cached", "mix", "miss")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench BENCH_ARGS=…", description=__doc__)
    parser.add_argument("--names", type=int, default=1_000_000, help="listed names to load")
    parser.add_argument("--rounds", type=int, default=3, help="shots per server and load")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a shot")
    parser.add_argument(
        "--rates", type=int, nargs="*", default=[5000, 20000], help="q/s for latency"
    )
    parser.add_argument("--peers", nargs="*", default=[peer.program for peer in PEERS])
    parser.add_argument("--quick", action="store_true", help="100,000 names, one short round")
    parser.add_argument("--no-lists", action="store_true", help="leave the part about lists out")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the tables")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.names, chosen.rounds, chosen.seconds = 100_000, 1, 2.0
    return chosen


def measure(
    chosen: argparse.Namespace, work: workload.Workload, running: list[servers.Running]
) -> dict[str, dict[str, list[Shot]]]:
    """Shots by server and load, taken in turns so that noise falls on all alike."""
    shots: dict[str, dict[str, list[Shot]]] = {one.title: {} for one in running}
    for one in running:
        one.weigh()
        dnsperf(one.port, work.warm, one.pids(), seconds=2, rate=5000)
    plan = [(load, None) for load in LOADS for _ in range(chosen.rounds)]
    plan += [("mix", rate) for rate in chosen.rates for _ in range(chosen.rounds)]
    for step, (load, rate) in enumerate(plan, 1):
        for one in running:
            print(
                f"\r{step}/{len(plan)} {load} {rate or ''} {one.title:30}", end="", file=sys.stderr
            )
            shot = dnsperf(
                one.port, work.queries[load], one.pids(), seconds=chosen.seconds, rate=rate
            )
            shots[one.title].setdefault(f"{load}@{rate}" if rate else load, []).append(shot)
    print(file=sys.stderr)
    return shots


def main() -> int:
    """Set everything up, measure, print."""
    chosen = arguments()
    busy = os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory(prefix="filterd-bench-") as scratch,
        contextlib.ExitStack() as on,
    ):
        folder = Path(scratch)
        work = workload.make(folder / "work", chosen.names)
        upstream = on.enter_context(servers.stub(folder))
        listed = work.listed_sample
        running = [
            on.enter_context(
                servers.serve_filterd(folder / "filterd", work.list_file, upstream, listed)
            )
        ]
        missing: list[str] = []
        for peer in PEERS:
            version = peer.installed_version()
            if peer.program not in chosen.peers:
                continue
            if version is None:
                missing.append(peer.title)
                continue
            running.append(
                on.enter_context(
                    servers.serve_peer(
                        peer, version, folder / peer.program, work.list_file, upstream, listed
                    )
                )
            )
        shots = measure(chosen, work, running)
        result = tables.result(work, running, shots, missing, busy)
    lists = None
    if not chosen.no_lists and bench_lists.DATA.is_dir():
        lists = bench_lists.run(chosen.quick)
    if chosen.json:
        print(json.dumps({**result, "lists": lists}))
        return 0
    print(tables.text(result))
    print(bench_lists.text(lists) if lists else "lists: left out, or no shared data")
    return 0


if __name__ == "__main__":
    sys.exit(main())
