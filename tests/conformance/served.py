"""filterd and its peers as servers alike: a port, a process, a way to kill and start again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.forwarders import Forwarder, forwarding
from tests.lab.running import ROOT, RunningFilterd, until, workers

UNITS = Path("/lib/systemd/system")


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs. `pid` is the process with all its children, `answering` the one that reads
    octets of the network; `kill` ends that with SIGKILL and has it start again at once."""

    port: int
    pid: int
    answering: Callable[[], int]
    kill: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whoever is measured: its name, its Debian unit, and how it is put before an upstream."""

    title: str
    unit: Path
    serve: Callable[[Path, int], contextlib.AbstractContextManager[Server]]


def filterd(workers: int | str) -> Subject:
    """`filterd run` as anybody starts it."""

    @contextlib.contextmanager
    def serve(folder: Path, upstream: int) -> Iterator[Server]:
        folder.mkdir(parents=True)
        settings = {"upstreams": [f"udp://127.0.0.1:{upstream}"], "workers": workers}
        running = RunningFilterd(folder, settings)
        try:
            running.start()
            assert running.process is not None
            time.sleep(3)  # the first self-test is over
            first = workers(running)[0]
            yield Server(running.port, running.process.pid, lambda: first, lambda: _kill(running))
        finally:
            running.stop()

    return Subject("filterd", ROOT / "systemd" / "units" / "filterd.service", serve)


def _status(running: RunningFilterd) -> list[dict[str, Any]]:
    return list(running.control.call("status.get")["workers"])


def _kill(running: RunningFilterd) -> None:
    """Once all of them answer: what is measured is a death, not a slow start on a busy machine."""
    until(lambda: all(worker["alive"] for worker in _status(running)), 30, "every worker")
    os.kill(workers(running)[0], signal.SIGKILL)


def peer(chosen: Forwarder) -> Subject:
    """A peer of Debian. Nothing starts it again by itself here, so the laboratory does."""

    @contextlib.contextmanager
    def serve(folder: Path, upstream: int) -> Iterator[Server]:
        with forwarding(chosen, folder, upstream) as started, contextlib.ExitStack() as on:
            process = [started.process]

            def again() -> None:
                process[0].kill()
                process[0].wait(10)
                process[0] = subprocess.Popen(
                    started.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    cwd=folder,
                )  # fmt: skip
                on.callback(_end, process[0])

            yield Server(started.port, started.process.pid, lambda: process[0].pid, again)

    name = {"named": "named", "pdns_recursor": "pdns-recursor"}.get(chosen.program, chosen.program)
    return Subject(chosen.title, UNITS / f"{name}.service", serve)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(10)
