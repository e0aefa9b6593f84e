"""What users notice while lists and policy change under load: `python -m tests.bench.bench_reload`.

dnsperf asks at a fixed rate; in each shot the lists are swapped or a policy applied, and a prober
asks for a name that was allowed, cached and memoised before, until it is refused. The longest gap
is the slowest answer: dnsperf keeps 256 questions under way, so a pause shows in all of them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from filterd.control.client import ControlClient
from tests.bench import servers, workload
from tests.bench.load import Shot, dnsperf, memory_mib
from tests.bench.servers import Running

AFTER_SECONDS = 1.5
"""When in a shot the change is made."""
BY_LIST, BY_POLICY = "h0.allowed-0.com", "h1.allowed-1.com"


@dataclass(frozen=True, slots=True)
class Change:
    """One kind of shot: its figures; `effect_s` None for no change at all."""

    change: str
    qps: int
    lost: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    longest_ms: float
    effect_s: float | None
    rss_before_mib: float
    rss_after_mib: float


class School:
    """The running filterd and what is changed about it."""

    def __init__(self, folder: Path, running: Running, other: Path) -> None:
        self.running = running
        self._folder = folder
        self._link = folder / "state/lists/index.fdx"
        self._indexes = (self._link.resolve(), other)
        self._control = ControlClient(folder / "state/run/control.sock")

    def swap_lists(self) -> None:
        """Put the other index in force: the same names and one more, or back."""
        now = self._link.resolve()
        target = self._indexes[1] if now == self._indexes[0] else self._indexes[0]
        fresh = self._link.with_suffix(".new")
        fresh.symlink_to(target.name)
        fresh.replace(self._link)
        self._control.call("lists.reload")

    def apply_policy(self) -> None:
        """Block one more name, or take that back."""
        now = self._control.call("policy.get")
        files = now["files"]
        school = yaml.safe_load(files["school.yaml"])
        rule = {"name": BY_POLICY, "action": "block", "reason": "benchmark", "author": "bench"}
        school["overrides"] = [] if school.get("overrides") else [rule]
        files["school.yaml"] = yaml.safe_dump(school, allow_unicode=True)
        self._control.call("policy.apply", files=files, base=now["revision"], reason="benchmark")


def shot(
    school: School, work: workload.Workload, rate: int, change: Callable[[], None] | None, name: str
) -> tuple[Shot, float | None]:
    """One run under load with a change in it, and how long the change took to act on `name`."""
    effect: list[float] = []

    def act() -> None:
        time.sleep(AFTER_SECONDS)
        if change is None:
            return
        was = servers.ask(school.running.port, name, 1.0)
        began = time.monotonic()
        change()
        while time.monotonic() - began < 10:
            if servers.ask(school.running.port, name, 1.0) != was:
                effect.append(time.monotonic() - began)
                return
            time.sleep(0.002)

    actor = threading.Thread(target=act)
    actor.start()
    pids = school.running.pids()
    found = dnsperf(school.running.port, work.queries["mix"], pids, seconds=5, rate=rate)
    actor.join()
    return found, effect[0] if effect else None


@contextlib.contextmanager
def prepared(folder: Path, names: int, workers: int) -> Iterator[tuple[School, workload.Workload]]:
    """filterd with two indexes compiled, warm."""
    work = workload.make(folder / "work", names)
    with servers.stub(folder) as upstream:
        home = folder / "filterd"
        home.mkdir()
        port = servers.free_port()
        config = servers.settings(home, port, upstream, workers)
        more = folder / "more.domains"
        shutil.copy(work.list_file, more)
        with more.open("a") as out:
            out.write(f"{BY_LIST}\n")
        servers.compile_lists(config, home, more)
        other = (home / "state/lists/index.fdx").resolve()
        kept = other.with_name("index-other.fdx")
        shutil.copy(other, kept)
        servers.compile_lists(config, home, work.list_file)
        command = [servers.filterd(), "run", "--config", str(config)]
        with servers.serve("filterd", "this tree", command, port, work.listed_sample) as running:
            dnsperf(port, work.warm, running.pids(), seconds=2, rate=5000)
            yield School(home, running, kept), work


def measure(school: School, work: workload.Workload, rate: int, rounds: int) -> list[Change]:
    """All kinds of shots, in turns."""
    kinds: list[tuple[str, Callable[[], None] | None, str]] = [
        ("nothing", None, ""),
        ("lists", school.swap_lists, BY_LIST),
        ("policy", school.apply_policy, BY_POLICY),
    ]
    found: list[Change] = []
    for _ in range(rounds):
        for title, change, name in kinds:
            before, _ = memory_mib(workers_of(school.running))
            taken, effect = shot(school, work, rate, change, name)
            after, _ = memory_mib(workers_of(school.running))
            p50, p99, p999 = (round(taken.percentile(share), 2) for share in (0.5, 0.99, 0.999))
            longest = round(max(taken.latencies_ms, default=0.0), 1)
            seconds = None if effect is None else round(effect, 3)
            found.append(
                Change(title, round(taken.qps), taken.lost, p50, p99, p999, longest, seconds,
                       round(before, 1), round(after, 1))
            )  # fmt: skip
    return found


def workers_of(running: Running) -> list[int]:
    """The worker processes alone."""
    return [
        pid
        for pid in running.pids()
        if b"filterd.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def text(found: list[Change], names: int, rate: int, pss: float) -> str:
    """The table people read."""
    lines = [
        f"reload with {names:,} names at {rate:,} q/s mixed; all processes {pss:.0f} MiB PSS",
        f"{'change':10}{'q/s':>8}{'lost':>6}{'p50':>8}{'p99':>8}{'p99.9':>8}{'longest':>9}"
        f"{'in effect':>11}{'workers RSS MiB':>20}",
    ]
    for one in found:
        effect = f"{one.effect_s} s" if one.effect_s is not None else "–"
        lines.append(
            f"{one.change:10}{one.qps:>8,}{one.lost:>6}{one.p50_ms:>8}{one.p99_ms:>8}"
            f"{one.p999_ms:>8}{one.longest_ms:>9}{effect:>11}"
            f"{one.rss_before_mib:>12} → {one.rss_after_mib}"
        )
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=4_750_000)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    busy = os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory(prefix="filterd-reload-") as scratch,
        prepared(Path(scratch), chosen.names, chosen.workers) as (school, work),
    ):
        found = measure(school, work, chosen.rate, chosen.rounds)
        _, pss = memory_mib(school.running.pids())
    if chosen.json:
        print(json.dumps([asdict(one) for one in found]))
    else:
        print(text(found, work.names, chosen.rate, pss))
        print(f"load average before: {busy:.1f}")


if __name__ == "__main__":
    main()
