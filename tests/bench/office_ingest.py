"""How many summaries a second one machine takes: by its own threads, and over HTTP.

`path` is verify, decode, judge and commit in several processes of several threads. `http` is the
whole way: a client process posts what was signed and laid out before over kept connections to
running `filterd office` processes, which assess beside it. Client, office and database share the
machine, so the CPU of each is told apart: the rate of a machine that does not also play 40,000
schools is `cores / (office + database)`.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from admin_ui.office import register
from admin_ui.office.database import Office, open_office
from admin_ui.office.ingest import Gathering
from admin_ui.office.tables import summaries
from tests.bench.office_history import progress
from tests.bench.office_post import post_all
from tests.lab.office_school import Box, entry, fresh_office, pin
from tests.lab.private_postgres import free_port

EACH = 20
THREADS = 16
Shares = list[list[list[bytes]]]


def now() -> datetime:
    return datetime.now(UTC)


def ingest_rate(folder: Path, url: str | None, count: int) -> dict[str, Any]:
    """`count` summaries by the path, and as many over HTTP."""
    address = url or f"sqlite:///{folder / 'office.db'}"
    processes = 2 if url else 1
    office = fresh_office(folder, None, url)
    made = _post(office, 2 * count // EACH)
    server = _server(office)
    path, http_ = made[: count // EACH], made[count // EACH :]
    office.engine.dispose()
    found = {"processes": processes, "threads": THREADS,
             "path": _by_path(address, folder, _shared(path, processes), server),
             "http": _by_http(address, folder, _shared(http_, processes), server)}  # fmt: skip
    office = open_office(address, folder)
    taken = office.rows(select(func.count().label("n")).select_from(summaries))[0]["n"]
    office.engine.dispose()
    assert taken == len(made) * EACH, (taken, len(made) * EACH)
    return found


def _post(office: Office, schools: int) -> list[list[bytes]]:
    """Twenty days of each of these schools, up to yesterday."""
    first = date.today() - timedelta(days=EACH)
    register.load(office, [entry(n, n % 100) for n in range(schools)], first)
    boxes = [Box(entry(n).id) for n in range(schools)]
    pin(office, boxes, f"{first}T00:00:00+00:00")
    made = []
    for number, box in enumerate(boxes, 1):
        made.append([box.day(first + timedelta(days=n)) for n in range(EACH)])
        progress("ingest: schools signed", number, schools)
    return made


def _shared(made: list[list[bytes]], n: int) -> Shares:
    return [made[k::n] for k in range(n)]


def _server(office: Office) -> Callable[[], float]:
    """Seconds of CPU that the database server has used; nothing for a file."""
    if not office.postgres:
        return lambda: 0.0
    with office.engine.connect() as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar()
    postmaster = int(_stat(int(backend or 0))[1])

    def used() -> float:
        """The postmaster, what of its children has ended, and what of them still runs."""
        children = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                    if _stat(pid)[1:2] == [str(postmaster)]]  # fmt: skip
        ended = sum(map(int, _stat(postmaster)[13:15])) / os.sysconf("SC_CLK_TCK")
        return ended + _cpu([postmaster, *children])

    return used


def _stat(pid: int) -> list[str]:
    """The fields of proc(5) stat from the third on; none when it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def _cpu(pids: list[int]) -> float:
    """Seconds of CPU these processes have used (utime and stime)."""
    return sum(int(t) for pid in pids for t in _stat(pid)[11:13]) / os.sysconf("SC_CLK_TCK")


def _figures(n: int, seconds: float, spent: Mapping[str, float]) -> dict[str, float]:
    each = {f"{who}_cpu_ms_each": round(cpu / n * 1000, 2) for who, cpu in spent.items()}
    served = sum(cpu for who, cpu in spent.items() if who != "client")
    cores = len(os.sched_getaffinity(0))
    return {"per_s": round(n / seconds, 1), **each,
            "per_s_without_client": round(cores * n / served, 1) if served else 0.0}  # fmt: skip


def _by_path(
    address: str, folder: Path, shares: Shares, server: Callable[[], float]
) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    barrier, spent = context.Barrier(len(shares) + 1), context.SimpleQueue()
    running = [
        context.Process(target=_take, args=(address, folder, share, barrier, spent))
        for share in shares
    ]
    for process in running:
        process.start()
    barrier.wait(300)
    before, started = server(), time.perf_counter()
    for process in running:
        process.join()
    seconds = time.perf_counter() - started
    n = sum(len(box) for share in shares for box in share)
    office = sum(spent.get() for _ in running)
    return _figures(n, seconds, {"office": office, "database": server() - before})


def _take(address: str, folder: Path, share: list[list[bytes]], barrier: Any, spent: Any) -> None:
    office = open_office(address, folder)
    gathering = Gathering(office)
    barrier.wait(300)
    begun = time.process_time()  # of this process: what else the machine does stays out of it
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda box: [gathering.take(each) for each in box], share):
            pass
    spent.put(time.process_time() - begun)


def _by_http(
    address: str, folder: Path, shares: Shares, server: Callable[[], float]
) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        offices = [stack.enter_context(_running(address, folder)) for _ in shares]
        lines = [(port, share[k::THREADS]) for (port, _), share in zip(offices, shares, strict=True)
                 for k in range(THREADS)]  # fmt: skip
        barrier, said = context.Barrier(2), context.SimpleQueue()
        client = context.Process(target=post_all, args=(lines, barrier, said))
        client.start()
        barrier.wait(300)
        pids = [pid for _, pid in offices]
        before, started = (_cpu(pids), server()), time.perf_counter()
        taken, client_cpu = said.get()
        seconds = time.perf_counter() - started
        spent = {"office": _cpu(pids) - before[0], "database": server() - before[1],
                 "client": client_cpu}  # fmt: skip
        client.join()
    assert taken == sum(len(box) for share in shares for box in share), taken
    return _figures(taken, seconds, spent)


@contextmanager
def _running(address: str, folder: Path) -> Iterator[tuple[int, int]]:
    """A `filterd office` on a port of its own; (port, pid)."""
    port = free_port()
    command = [sys.executable, "-m", "filterd", "office", "--listen", f"127.0.0.1:{port}",
               "--database", address, "--state-dir", str(folder)]  # fmt: skip
    with (folder / f"office-{port}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            line.request("GET", "/healthz")
            if line.getresponse().status == 200:
                return
        except OSError:
            assert process.poll() is None, "filterd office ended"
            assert time.monotonic() < deadline, "filterd office did not start"
            time.sleep(0.2)
        finally:
            line.close()
