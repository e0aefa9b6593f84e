"""The load: dnsperf in bounded runs, its figures, and what the kernel says a server cost."""

from __future__ import annotations

import base64
import os
import re
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from tests.lab.processes import cpu_seconds

LOAD_CORE = os.cpu_count() - 1 if (os.cpu_count() or 1) > 1 else 0  # type: ignore[operator]
SERVER_CORE = 0
STOLEN = 0.05
"""The share of the cores' time that a virtual machine did not get, above which figures are not to
be trusted."""

SHARES = (("50", 0.5), ("90", 0.9), ("99", 0.99), ("99.9", 0.999))
"""Percentiles that are told, by title."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One run of dnsperf against one server."""

    sent: int
    lost: int
    qps: float
    cpu_us: float
    rcodes: str
    latencies_ms: tuple[float, ...] = ()
    stolen: float = 0.0
    """What share of all cores' time the machine below took for others meanwhile (0–1)."""

    def percentile(self, share: float) -> float:
        """Latency in ms below which `share` (0–1) of the answers came."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def memory_mib(pids: Sequence[int]) -> tuple[float, float]:
    """(sum of RSS, sum of PSS) in MiB."""
    rss = pss = 0
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        rss += int(re.search(r"^Rss:\s+(\d+)", text, re.M)[1])  # type: ignore[index]
        pss += int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])  # type: ignore[index]
    return rss / 1024, pss / 1024


def clocks() -> tuple[int, int]:
    """(ticks stolen, all ticks) of all cores so far, from `/proc/stat` (proc(5))."""
    with Path("/proc/stat").open() as stat:
        ticks = [int(field) for field in stat.readline().split()[1:9]]
    return ticks[7], sum(ticks)


def stolen_since(before: tuple[int, int]) -> float:
    """The share (0–1) of the cores' time stolen since `clocks` said `before`."""
    now = clocks()
    return (now[0] - before[0]) / max(now[1] - before[1], 1)


def dnsperf(
    port: int,
    queries: Path,
    pids: Sequence[int],
    *,
    seconds: float = 5.0,
    rate: int | None = None,
    mode: str = "udp",
    passes: int = 0,
    option: str | None = None,
) -> Shot:
    """Run dnsperf once, pinned to the load core; `rate` bounds it and keeps every latency.

    `mode` is how it asks: udp, tcp or dot; `option` an EDNS option `code:hex`. With `passes` it
    ends when it has asked everything so often, however long that takes.
    """
    command = [
        "taskset", "-c", str(LOAD_CORE), "dnsperf", "-s", "127.0.0.1", "-p", str(port),
        "-d", str(queries), "-c", "8", "-q", "256", "-t", "2", "-b", "2048", "-f", "inet",
        "-m", mode,
    ]  # fmt: skip
    command += ["-n", str(passes)] if passes else ["-l", str(seconds)]
    if option:
        command += ["-E", option]
    if rate:
        command += ["-Q", str(rate), "-v"]
    before, since = cpu_seconds(pids), clocks()
    # into a file: who read a pipe meanwhile would do so on the server's core
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        subprocess.run(command, stdout=said, stderr=subprocess.DEVNULL, timeout=seconds + 60)
        spent, stolen = cpu_seconds(pids) - before, stolen_since(since)
        said.seek(0)
        text = said.read()
    sent = _number(r"Queries sent:\s+(\d+)", text)
    done = _number(r"Queries completed:\s+(\d+)", text)
    rcodes = re.search(r"Response codes:\s+(.*)", text)
    latencies = tuple(
        float(one) * 1000 for one in re.findall(r"^> \S+ \S+ \S+ ([\d.]+)$", text, re.M)
    )
    return Shot(
        int(sent),
        int(_number(r"Queries lost:\s+(\d+)", text)),
        _number(r"Queries per second:\s+([\d.]+)", text),
        spent / max(done, 1) * 1e6,
        rcodes[1] if rcodes else "",
        latencies,
        stolen,
    )


def h2load(
    port: int, names: Sequence[str], pids: Sequence[int], folder: Path, *, seconds: float = 0.0
) -> Shot:
    """DoH by GET from nghttp2's own load generator, pinned to the load core; without `seconds`
    every name twice.

    dnsperf loses answers whose frames come apart and then waits for them (its issue 240).
    """
    targets = folder / f"targets-{port}"
    with targets.open("w", encoding="ascii") as out:
        for name in names:
            wire = b"\0\0\1\0\0\1\0\0\0\0\0\0" + _labels(name) + b"\0\0\1\0\1"
            text = base64.urlsafe_b64encode(wire).decode().rstrip("=")
            out.write(f"https://127.0.0.1:{port}/dns-query?dns={text}\n")
    length = (
        ["-c", "8", "-D", f"{seconds * 1000:.0f}ms"] if seconds else ["-n", f"{2 * len(names)}"]
    )
    command = ["taskset", "-c", str(LOAD_CORE), "h2load", *length, "-m", "32", "-i", str(targets)]
    before = cpu_seconds(pids)
    text = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60).stdout
    spent = cpu_seconds(pids) - before
    done = _number(r"(\d+) 2xx", text)
    failed = sum(_number(pattern, text) for pattern in (r"(\d+) failed", r"(\d+) 4xx"))
    return Shot(
        int(done + failed), int(failed), done / (seconds or 1), spent / max(done, 1) * 1e6, ""
    )


def _labels(name: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))


class Disturbed(Protocol):
    """A shot, of whatever."""

    @property
    def stolen(self) -> float:
        """The share of the cores' time that the machine below took for others meanwhile."""


Some = TypeVar("Some", bound=Disturbed)


def quietest(shots: Sequence[Some]) -> Sequence[Some]:
    """The half of them (at least three) of which the machine below stole least."""
    return sorted(shots, key=lambda shot: shot.stolen)[: max(3, len(shots) // 2)]


def median(shots: Sequence[Shot], field: str) -> float:
    """The median of one figure over several shots."""
    return statistics.median(getattr(shot, field) for shot in shots)


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    return float(found[1]) if found else 0.0
