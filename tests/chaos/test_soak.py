"""Hours in short: steady questions of every kind, edits and reloads; nothing may grow or be lost.

Thirty seconds in `make test`, ten minutes in `make test-full`; `FILTERD_SOAK_MINUTES=60` makes the
latter an hour, with the slope that is wanted of an hour.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conformance.beside import good_questions
from tests.lab.packets import query, tcp_ask, udp_ask
from tests.lab.running import RunningFilterd, until, workers

BLOCKED = "porn.canary.filterd.test"
MINUTES = float(os.environ.get("FILTERD_SOAK_MINUTES", "10"))
SLOPE_MIB_AN_HOUR = 1.0
"""Wanted of an hour; shorter runs may show the noise of one allocation more."""
NOISE_MIB = 3.0
NAMES = 3000
"""Asked for again and again, so that caches are full before the slope is measured."""


@dataclass(slots=True)
class Samples:
    """Memory (MiB) and descriptors of one process over time (s)."""

    times: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def take(self, pid: int, at: float) -> None:
        self.times.append(at)
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        self.memory.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
        self.descriptors.append(len(os.listdir(f"/proc/{pid}/fd")))

    @property
    def slope(self) -> float:
        """MiB an hour, by least squares over the second half: caches fill in the first."""
        half = len(self.times) // 2
        return statistics.linear_regression(self.times[half:], self.memory[half:]).slope * 3600


def work(filterd: RunningFilterd, number: int) -> None:
    """A little of everything that pupils and staff do."""
    for turn in range(40):
        name = (f"site{(number * 40 + turn) % NAMES}.example", f"site{turn}.example", BLOCKED)[
            turn % 3
        ]
        udp_ask(filterd.port, query(name, ident=turn), 1.0, f"127.0.12.{turn % 30 + 1}")
    tcp_ask(filterd.port, query(BLOCKED), 2.0, "127.0.12.1")
    udp_ask(filterd.port, b"\0\1\1\0\0\2" + bytes(20), 0.01, "127.0.12.2")
    if number % 20 == 5:
        filterd.control.call(
            "overrides.add", name=f"soak{number % 7}.example", allow=False, minutes=1, reason="thử"
        )
    if number % 50 == 25:
        assert filterd.process is not None
        os.kill(filterd.process.pid, signal.SIGHUP)


def soak(filterd: RunningFilterd, seconds: float) -> dict[str, Samples]:
    """Work for so long; samples of the supervisor and of each worker."""
    filterd.start()
    assert filterd.process is not None
    pids = {"supervisor": filterd.process.pid}
    pids |= {f"worker {n}": pid for n, pid in enumerate(workers(filterd))}
    samples = {name: Samples() for name in pids}
    began, number, due = time.monotonic(), 0, 0.0
    with good_questions(filterd.port, BLOCKED, 100) as stream:
        while (passed := time.monotonic() - began) < seconds:
            work(filterd, number := number + 1)
            if passed >= due:
                due = passed + seconds / 60
                for name, pid in pids.items():
                    samples[name].take(pid, passed)
            time.sleep(0.05)
    for name, found in samples.items():
        print(f"{name}: {found.memory[0]:.1f} → {found.memory[-1]:.1f} MiB, slope "
              f"{found.slope:.1f} MiB/h, descriptors {found.descriptors[0]} → "
              f"{found.descriptors[-1]}")  # fmt: skip
    print(f"{number * 42} questions, lost {stream.lost} of {len(stream.times)} steady ones")
    assert stream.lost <= len(stream.times) // 1000 + 1
    assert [pids[f"worker {n}"] for n in range(2)] == workers(filterd), "a worker was replaced"
    assert heaps_of_threads(filterd.process.pid) == 0, "each thread keeps a heap of its own"
    assert "never retrieved" not in filterd.text() and "Traceback" not in filterd.text()
    return samples


def heaps_of_threads(pid: int) -> int:
    """glibc's heaps besides the first: each reserves 64 MiB of addresses at a multiple of it."""
    reserved = 64 << 20
    ends: dict[int, int] = {}
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        first, last = (int(each, 16) for each in line.split()[0].split("-"))
        if first % reserved == 0 and len(line.split()) == 5:
            ends[first] = last
        elif first in ends.values() and "---p" in line and last % reserved == 0:
            ends[last - reserved] = -1
    return sum(end == -1 for end in ends.values())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_policies_that_come_and_go_leave_no_memory_behind(filterd: RunningFilterd) -> None:
    """300 edits after 100, which fill what is filled once: 1.1 MiB while each thread had a heap of
    its own, 0.0 since."""
    filterd.start()
    assert filterd.process is not None
    until(lambda: filterd.control.call("evidence.selftest"), 60, "the self-test")
    samples = Samples()
    for number in range(400):
        filterd.control.call(
            "overrides.add", name=f"soak{number % 7}.example", allow=False, minutes=1, reason="thử"
        )
        if number % 100 == 99:
            samples.take(filterd.process.pid, number)
    print([round(each, 1) for each in samples.memory])
    assert samples.memory[-1] - samples.memory[0] < 0.8


@pytest.mark.slow
@pytest.mark.timeout(int(MINUTES * 60 * 1.5) + 120)
def test_long(filterd: RunningFilterd) -> None:
    for name, found in soak(filterd, MINUTES * 60).items():
        assert found.slope < SLOPE_MIB_AN_HOUR + NOISE_MIB * 60 / MINUTES, name
        assert max(found.descriptors[-10:]) <= max(found.descriptors[5:15]) + 4, name


def test_thirty_seconds(filterd: RunningFilterd) -> None:
    for name, found in soak(filterd, 30).items():
        half = len(found.memory) // 2
        assert max(found.memory[half:]) - found.memory[half] < 8, name
        assert found.descriptors[-1] <= max(found.descriptors[:10]) + 6, name
