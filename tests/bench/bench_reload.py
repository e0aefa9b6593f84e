"""What users notice while lists and policy change under load: `python -m tests.bench.bench_reload`.

dnsperf asks at a fixed rate; in each shot the lists are swapped or a policy applied, and a prober
asks for a name that was allowed, cached and memoised before, and for names that nobody asked
before, until they are refused (or, every second time, allowed again). The longest gap is the
slowest answer: dnsperf keeps 256 questions under way, so a pause shows in all of them. Memory is
what a worker shares with nobody; the map of the lists is shared and not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from filterd.control.client import ControlClient
from tests.bench import servers, workload
from tests.bench.list_changes import until_up
from tests.bench.load import Shot, dnsperf, memory_mib, quietest
from tests.bench.servers import Running

AFTER_SECONDS = 1.5
"""When in a shot the change is made."""
BY_LIST, BY_POLICY = "h0.allowed-0.com", "h1.allowed-1.com"
FRESH = {BY_LIST: "fresh-by-list.example", BY_POLICY: "fresh-by-policy.example"}
"""Zones that change together with the name; a name below them is asked once in a run."""


@dataclass(frozen=True, slots=True)
class Change:
    """One kind of shot: its figures; `effect_s` (the name that was cached) and `fresh_s` (names
    never asked before) None for no change at all."""

    change: str
    qps: int
    lost: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    longest_ms: float
    effect_s: float | None
    fresh_s: float | None
    private_before_mib: float
    private_after_mib: float
    stolen: float


EFFECTS = ("effect_s", "fresh_s")
_NUMBERS = itertools.count()


class School:
    """The running filterd and what is changed about it."""

    def __init__(self, folder: Path, running: Running, other: Path) -> None:
        self.running = running
        self._folder = folder
        self._link = folder / "state/lists/index.fdx"
        self._indexes = (self._link.resolve(), other)
        self._control = ControlClient(folder / "state/run/control.sock")
        self._began_mib = memory_mib(running.pids())[1]

    @property
    def pss_mib(self) -> tuple[float, float]:
        """What all its processes took before the first shot, and what they take now."""
        return self._began_mib, memory_mib(self.running.pids())[1]

    def other_lists(self) -> Callable[[], object]:
        """What puts the other index in force: the same names and one more, or back."""
        now = self._link.resolve()
        target = self._indexes[1] if now == self._indexes[0] else self._indexes[0]
        fresh = self._link.with_suffix(".new")
        fresh.symlink_to(target.name)
        fresh.replace(self._link)
        return functools.partial(self._control.call, "lists.reload")

    def other_policy(self) -> Callable[[], object]:
        """What blocks one more name, or takes that back."""
        now = self._control.call("policy.get")
        files = now["files"]
        school = yaml.safe_load(files["school.yaml"])
        rules = [
            {"name": name, "action": "block", "reason": "benchmark", "author": "bench"}
            for name in (BY_POLICY, FRESH[BY_POLICY])
        ]
        school["overrides"] = [] if school.get("overrides") else rules
        files["school.yaml"] = yaml.safe_dump(school, allow_unicode=True)
        return functools.partial(
            self._control.call,
            "policy.apply", files=files, base=now["revision"], reason="benchmark",
        )  # fmt: skip


def shot(
    school: School,
    work: workload.Workload,
    rate: int,
    prepare: Callable[[], Callable[[], object]] | None,
    name: str,
) -> tuple[Shot, dict[str, float]]:
    """One run under load with a change in it, and how long the change took to act on `name` and
    on names that nobody asked before. What it takes to `prepare` the change is done before."""
    effect: dict[str, float] = {}
    port = school.running.port
    change = prepare() if prepare is not None else None

    def act() -> None:
        time.sleep(AFTER_SECONDS)
        if change is None:
            return
        was = servers.ask(port, name, 1.0)
        began = time.monotonic()
        changing = threading.Thread(target=change)
        changing.start()
        while len(effect) < 2 and time.monotonic() - began < 10:
            fresh = f"n{next(_NUMBERS)}.{FRESH[name]}"
            for kind, asked in (("cached", name), ("fresh", fresh)):
                answer = servers.ask(port, asked, 1.0)
                if kind not in effect and answer not in (was, None):
                    effect[kind] = time.monotonic() - began
            time.sleep(0.002)
        changing.join()

    actor = threading.Thread(target=act)
    actor.start()
    pids = school.running.pids()
    found = dnsperf(school.running.port, work.queries["mix"], pids, seconds=5, rate=rate)
    actor.join()
    return found, effect


@contextlib.contextmanager
def prepared(
    folder: Path, names: int, workers: int, cores: int = 1
) -> Iterator[tuple[School, workload.Workload, Running]]:
    """filterd with two indexes compiled, warm; and the C responder; each on so many cores."""
    work = workload.make(folder / "work", names)
    with servers.stub(folder) as upstream:
        home = folder / "filterd"
        home.mkdir()
        port = servers.free_port()
        config = servers.settings(home, port, upstream, workers)
        more = folder / "more.domains"
        shutil.copy(work.list_file, more)
        with more.open("a") as out:
            out.write(f"{BY_LIST}\n{FRESH[BY_LIST]}\n")
        servers.compile_lists(config, home, more)
        other = (home / "state/lists/index.fdx").resolve()
        kept = other.with_name("index-other.fdx")
        shutil.copy(other, kept)
        servers.compile_lists(config, home, work.list_file)
        command = [servers.filterd(), "run", "--config", str(config)]
        listed = work.listed_sample
        with servers.serve("filterd", "this tree", command, port, listed, cores=cores) as running:
            dnsperf(port, work.warm, running.pids(), seconds=2, rate=5000)
            until_up(ControlClient(home / "state/run/control.sock"))
            with servers.floor(folder, cores) as floor:
                yield School(home, running, kept), work, floor


def measure(
    school: School, work: workload.Workload, floor: Running, rate: int, rounds: int
) -> list[Change]:
    """All kinds of shots, in turns; each turn begins with the C responder, whose tail is what
    machine and load generator make of it without any server of names."""
    kinds: list[tuple[str, Callable[[], Callable[[], object]] | None, str]] = [
        ("nothing", None, ""),
        ("lists", school.other_lists, BY_LIST),
        ("policy", school.other_policy, BY_POLICY),
    ]
    found: list[Change] = []
    for _ in range(rounds):
        bare = dnsperf(floor.port, work.queries["mix"], floor.pids(), seconds=5, rate=rate)
        found.append(_row("C responder", bare, {}, (0.0, 0.0)))
        for title, change, name in kinds:
            before = private_mib(school.running)
            taken, effect = shot(school, work, rate, change, name)
            found.append(_row(title, taken, effect, (before, private_mib(school.running))))
    return found


def _row(title: str, taken: Shot, effect: dict[str, float], mib: tuple[float, float]) -> Change:
    p50, p99, p999 = (round(taken.percentile(share), 2) for share in (0.5, 0.99, 0.999))
    longest = round(max(taken.latencies_ms, default=0.0), 1)
    cached, fresh = (round(effect[k], 3) if k in effect else None for k in ("cached", "fresh"))
    before, after = (round(each, 1) for each in mib)
    return Change(
        title, round(taken.qps), taken.lost, p50, p99, p999, longest, cached, fresh, before, after,
        round(taken.stolen, 3),
    )  # fmt: skip


def private_mib(running: Running) -> float:
    """What each worker shares with nobody, on average."""
    pids, kib = running.workers(), 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        kib += sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return kib / 1024 / max(len(pids), 1)


def text(found: list[Change], names: int, rate: int, pss: tuple[float, float]) -> str:
    """The table people read: medians over the rounds, the tails over the half of them that was
    stolen least, and the least and most of the longest."""
    lines = [
        f"reload with {names:,} names at {rate:,} q/s mixed; PSS of all processes"
        f" {pss[0]:.0f} MiB before, {pss[1]:.0f} MiB after; ms, medians"
        " of the half of the rounds that was stolen least",
        f"{'change':12}{'q/s':>8}{'lost':>6}{'p50':>7}{'p99':>7}{'p99.9':>8}"
        f"{'longest (least-most)':>24}{'cached name':>13}{'fresh name':>12}{'stolen':>8}",
    ]
    for title in dict.fromkeys(one.change for one in found):
        taken = [one for one in found if one.change == title]
        quiet, gaps = quietest(taken), [one.longest_ms for one in taken]
        longest = f"{_median(quiet, 'longest_ms'):.1f} ({min(gaps)}-{max(gaps)})"
        cached, fresh = (_seconds([getattr(one, each) for one in taken]) for each in EFFECTS)
        lines.append(
            f"{title:12}{_median(taken, 'qps'):>8,.0f}{sum(one.lost for one in taken):>6}"
            f"{_median(quiet, 'p50_ms'):>7.2f}{_median(quiet, 'p99_ms'):>7.2f}"
            f"{_median(quiet, 'p999_ms'):>8.2f}{longest:>24}{cached:>13}{fresh:>12}"
            f"{_median(quiet, 'stolen'):>8.0%}"
        )
    own = [one for one in found if one.private_before_mib]
    first, last = own[0].private_before_mib, own[-1].private_after_mib
    lines.append(
        f"a worker's private memory: {first} MiB, after {len(own)} shots {last} MiB;"
        " `C responder` answers everything alike and decides nothing: the machine's own tail"
    )
    return "\n".join(lines)


def _median(taken: Sequence[Change], field: str) -> float:
    return statistics.median(getattr(one, field) for one in taken)


def _seconds(effects: list[float | None]) -> str:
    known = [each for each in effects if each is not None]
    return f"{statistics.median(known):.2f} s" if known else "–"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=4_750_000)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--cores", type=int, default=1, help="what filterd may use; 2 of 2: beside the generator"
    )
    parser.add_argument("--quick", action="store_true", help="200,000 names, one round")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.names, chosen.rounds = 200_000, 1
    busy = os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory(prefix="filterd-reload-") as scratch,
        prepared(Path(scratch), chosen.names, chosen.workers, chosen.cores) as ready,
    ):
        school, work, floor = ready
        found = measure(school, work, floor, chosen.rate, chosen.rounds)
        pss = school.pss_mib
    if chosen.json:
        print(json.dumps([asdict(one) for one in found]))
    else:
        print(text(found, work.names, chosen.rate, pss))
        print(f"load average before: {busy:.1f}")


if __name__ == "__main__":
    main()
