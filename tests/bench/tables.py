"""The figures as one JSON object and as tables for people."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from tests.bench.load import Shot, median
from tests.bench.servers import Running
from tests.bench.workload import Workload

NOISY = 1.0
"""Load average before the run above which the figures are not to be trusted."""


def result(
    work: Workload,
    running: Sequence[Running],
    shots: dict[str, dict[str, list[Shot]]],
    missing: Sequence[str],
    busy: float,
) -> dict[str, Any]:
    """Everything measured, per server; ratios are filterd ÷ server."""
    own = shots[running[0].title]
    return {
        "names": work.names,
        "names_from": work.source,
        "noisy": busy > NOISY,
        "load_before": round(busy, 2),
        "not_installed": list(missing),
        "servers": [_server(one, shots[one.title], own) for one in running],
    }


def _server(
    one: Running, shots: dict[str, list[Shot]], own: dict[str, list[Shot]]
) -> dict[str, Any]:
    loads = {}
    for load, taken in shots.items():
        qps, cpu = median(taken, "qps"), median(taken, "cpu_us")
        loads[load] = {
            "qps": round(qps),
            "cpu_us": round(cpu, 2),
            "qps_ratio": round(median(own[load], "qps") / qps, 2) if qps else None,
            "cpu_ratio": round(median(own[load], "cpu_us") / cpu, 2) if cpu else None,
            "lost": sum(shot.lost for shot in taken),
            "rcodes": taken[-1].rcodes,
            **_percentiles(taken),
        }
    return {
        "server": one.title,
        "version": one.version,
        "start_s": round(one.start_seconds, 2),
        "rss_mib": round(one.rss_mib, 1),
        "pss_mib": round(one.pss_mib, 1),
        "loads": loads,
    }


def _percentiles(taken: Sequence[Shot]) -> dict[str, float]:
    if not taken[0].latencies_ms:
        return {}
    return {
        f"p{title}_ms": round(statistics.median(shot.percentile(share) for shot in taken), 3)
        for title, share in (("50", 0.5), ("99", 0.99), ("99.9", 0.999))
    }


def text(found: dict[str, Any]) -> str:
    """The tables people read."""
    lines = [
        f"{found['names']:,} listed names ({found['names_from']}); CPU µs per query of the server,"
        " one core; ratio = filterd ÷ server",
    ]
    if found["noisy"]:
        lines.append(
            f"NOT QUIET: load average {found['load_before']} before the run; do not trust it"
        )
    if found["not_installed"]:
        lines.append("not installed, left out: " + ", ".join(found["not_installed"]))
    for load in found["servers"][0]["loads"]:
        lines += [
            "",
            f"{load:28}{'QPS':>9}{'ratio':>8}{'µs/q':>8}{'ratio':>8}{'lost':>7}  p50/p99/p99.9 ms",
        ]
        lines += [_row(server, server["loads"][load]) for server in found["servers"]]
    lines += ["", f"{'memory and start':28}{'RSS MiB':>9}{'PSS MiB':>9}{'start s':>9}"]
    lines += [
        f"{one['server']:28}{one['rss_mib']:>9}{one['pss_mib']:>9}{one['start_s']:>9}"
        for one in found["servers"]
    ]
    return "\n".join(lines)


def _row(server: dict[str, Any], load: dict[str, Any]) -> str:
    tail = f"  {load['p50_ms']} / {load['p99_ms']} / {load['p99.9_ms']}" if "p50_ms" in load else ""
    return (
        f"{server['server']:28}{load['qps']:>9,}{load['qps_ratio'] or '–':>8}"
        f"{load['cpu_us']:>8}{load['cpu_ratio'] or '–':>8}{load['lost']:>7}{tail}"
    )
