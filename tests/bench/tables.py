"""The figures as one JSON object and as tables for people."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from tests.bench import bench_lists
from tests.bench.load import SHARES, STOLEN, Shot, median, quietest
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
        "noisy": busy > NOISY or _stolen(shots) > STOLEN,
        "load_before": round(busy, 2),
        "stolen": round(_stolen(shots), 3),
        "not_installed": list(missing),
        "servers": [_server(one, shots[one.title], own) for one in running],
    }


def _stolen(shots: dict[str, dict[str, list[Shot]]]) -> float:
    """The median over all shots."""
    taken = [shot.stolen for loads in shots.values() for each in loads.values() for shot in each]
    return statistics.median(taken) if taken else 0.0


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
    quiet = quietest(taken)
    return {
        f"p{title}_ms": round(statistics.median(shot.percentile(share) for shot in quiet), 3)
        for title, share in SHARES
    }


def text(found: dict[str, Any]) -> str:
    """The tables people read."""
    lines = [
        f"{found['names']:,} listed names ({found['names_from']}); CPU µs per query of the server,"
        " one core; ratio = filterd ÷ server; tails of the half of the shots that was stolen least",
    ]
    if found["noisy"]:
        lines.append(
            f"NOT QUIET: load average {found['load_before']} before the run, "
            f"{found['stolen']:.0%} of the cores' time stolen in it; do not trust the tails"
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
    return "\n".join([*lines, *(f"plot: {path}" for path in found.get("plots", ()))])


def _row(server: dict[str, Any], load: dict[str, Any]) -> str:
    tail = f"  {load['p50_ms']} / {load['p99_ms']} / {load['p99.9_ms']}" if "p50_ms" in load else ""
    return (
        f"{server['server']:28}{load['qps']:>9,}{load['qps_ratio'] or '–':>8}"
        f"{load['cpu_us']:>8}{load['cpu_ratio'] or '–':>8}{load['lost']:>7}{tail}"
    )


def streams(shots: dict[str, dict[str, list[Shot]]]) -> dict[str, Any]:
    """By transport and server: q/s, CPU µs, lost, and filterd's q/s ÷ the server's."""
    own = next(iter(shots.values()))
    found: dict[str, Any] = {}
    for title, by_mode in shots.items():
        for mode, taken in by_mode.items():
            qps, cpu = median(taken, "qps"), median(taken, "cpu_us")
            found.setdefault(mode, {})[title] = {
                "qps": round(qps),
                "qps_ratio": round(median(own[mode], "qps") / qps, 2) if qps else None,
                "cpu_us": round(cpu, 2),
                "cpu_ratio": round(median(own[mode], "cpu_us") / cpu, 2) if cpu else None,
                "lost": sum(shot.lost for shot in taken),
            }
    return found


def part(name: str, found: Any) -> str:
    """One part of a run for people."""
    if isinstance(found, dict) and "failed" in found:
        return f"{name}: NOT MEASURED: {found['failed']}"
    return _PARTS[name](found)


def workers(
    shots: dict[str, list[list[Shot]]], memory: Sequence[float], floor: dict[str, list[list[Shot]]]
) -> dict[str, Any]:
    """Medians by load of one worker, two on its core and two on two cores, the same of the C
    responder, and what all processes of filterd take (MiB PSS)."""
    return {
        "loads": {load: _forms(taken) for load, taken in shots.items()},
        "floor": {load: _forms(taken) for load, taken in floor.items()},
        "PSS MiB": [round(each, 1) for each in memory],
    }


def _forms(taken: Sequence[Sequence[Shot]]) -> list[list[float]]:
    return [[round(median(one, "qps")), round(median(one, "cpu_us"), 2)] for one in taken]


def _workers_text(found: dict[str, Any]) -> str:
    lines = [
        f"{'workers on cores':20}{'1 on 1':>22}{'2 on 1':>22}{'2 on 2':>22}"
        f"{'two cores by CPU time':>24}"
    ]
    lines += [_form_text(load, taken) for load, taken in found["loads"].items()]
    memory = "".join(f"{each:>22}" for each in found["PSS MiB"])
    lines += [f"{'PSS MiB':20}{memory}", "C responder"]
    lines += [_form_text(load, taken) for load, taken in found["floor"].items()]
    return "\n".join(lines)


def _form_text(load: str, taken: list[list[float]]) -> str:
    cells = "".join(f"{f'{qps:,} q/s {cpu} µs':>22}" for qps, cpu in taken)
    return f"{load:20}{cells}{2 * taken[0][1] / taken[2][1]:>23.2f}×"


def _streams_text(found: dict[str, Any]) -> str:
    lines = []
    for mode, by_server in found.items():
        lines.append(
            f"{mode + ', cached':28}{'QPS':>9}{'ratio':>8}{'µs/q':>8}{'ratio':>8}{'lost':>7}"
        )
        lines += [
            f"{title:28}{one['qps']:>9,}{one['qps_ratio'] or '–':>8}"
            f"{one['cpu_us']:>8}{one['cpu_ratio'] or '–':>8}{one['lost']:>7}"
            for title, one in by_server.items()
        ]
    return "\n".join(lines)


def _reload_text(found: dict[str, Any]) -> str:
    return f"two workers on one core; {found['text']}"


def _growth_text(found: dict[str, Any]) -> str:
    return f"{found['text']}\nplot: {found['plot']}"


def _lists_text(found: dict[str, Any]) -> str:
    return f"lists: {found['left_out']}" if "left_out" in found else bench_lists.text(found)


_PARTS: dict[str, Callable[[Any], str]] = {
    "main": text,
    "workers": _workers_text,
    "streams": _streams_text,
    "reload": _reload_text,
    "growth": _growth_text,
    "lists": _lists_text,
}
