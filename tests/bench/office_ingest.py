"""How many summaries a second one machine takes: by its own threads, and over HTTP.

`path` is verify, decode, judge and commit in several processes of several threads. `http` is the
whole way: clients post to running `filterd office` processes, which assess beside it; clients and
database stand on the same machine and take their share of it.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from admin_ui.office import register
from admin_ui.office.database import Office, open_office
from admin_ui.office.ingest import Gathering
from admin_ui.office.tables import summaries
from tests.lab.office_school import Box, entry, fresh_office, pin
from tests.lab.private_postgres import free_port

EACH = 20
THREADS = 8
Shares = list[list[list[bytes]]]


def now() -> datetime:
    return datetime.now(UTC)


def ingest_rate(folder: Path, url: str | None, count: int) -> dict[str, Any]:
    """`count` summaries by the path, and as many over HTTP."""
    address = url or f"sqlite:///{folder / 'office.db'}"
    processes = 2 if url else 1
    office = fresh_office(folder, None, url)
    made = _post(office, 2 * count // EACH)
    path, http_ = made[: count // EACH], made[count // EACH :]
    office.engine.dispose()
    found = {"processes": processes, "threads": THREADS,
             "path": _by_path(address, folder, _shared(path, processes), processes),
             "http": _by_http(address, folder, http_, processes)}  # fmt: skip
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
    return [[box.day(first + timedelta(days=n)) for n in range(EACH)] for box in boxes]


def _shared(made: list[list[bytes]], n: int) -> Shares:
    return [made[k::n] for k in range(n)]


def _by_path(address: str, folder: Path, shares: Shares, processes: int) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    barrier, spent = context.Barrier(processes + 1), context.SimpleQueue()
    running = [
        context.Process(target=_take, args=(address, folder, share, barrier, spent))
        for share in shares
    ]
    for process in running:
        process.start()
    barrier.wait(120)
    started = time.perf_counter()
    for process in running:
        process.join()
    seconds = time.perf_counter() - started
    n = sum(len(box) for share in shares for box in share)
    cpu = sum(spent.get() for _ in running)
    return {"per_s": round(n / seconds, 1), "office_cpu_ms_each": round(cpu / n * 1000, 2)}


def _take(address: str, folder: Path, share: list[list[bytes]], barrier: Any, spent: Any) -> None:
    office = open_office(address, folder)
    gathering = Gathering(office)
    barrier.wait(120)
    begun = time.process_time()  # of this process: what else the machine does stays out of it
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda box: [gathering.take(each) for each in box], share):
            pass
    spent.put(time.process_time() - begun)


def _by_http(address: str, folder: Path, made: list[list[bytes]], n: int) -> dict[str, float]:
    with ExitStack() as stack:
        ports = [stack.enter_context(_running(address, folder)) for _ in range(n)]
        before = _cpu(stack_pids := [pid for _, pid in ports])
        work = [(port, made[k::n][j::THREADS]) for k, (port, _) in enumerate(ports)
                for j in range(THREADS)]  # fmt: skip
        started = time.perf_counter()
        with ThreadPoolExecutor(len(work)) as pool:
            answers = list(pool.map(_send, work))
        seconds = time.perf_counter() - started
        cpu = _cpu(stack_pids) - before
    sent = sum(answers)
    assert sent == sum(len(box) for box in made)
    return {"per_s": round(sent / seconds, 1), "office_cpu_ms_each": round(cpu / sent * 1000, 2)}


def _cpu(pids: list[int]) -> float:
    """Seconds of CPU these processes have used (proc(5), stat fields 14 and 15)."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in pids]
    return sum(int(f[11]) + int(f[12]) for f in fields) / os.sysconf("SC_CLK_TCK")


def _send(work: tuple[int, list[list[bytes]]]) -> int:
    """Post each school's days in order over one kept connection."""
    port, boxes = work
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for box in boxes:
        for envelope in box:
            line.request("POST", "/api/v1/summaries", envelope,
                         {"Content-Type": "application/json"})  # fmt: skip
            reply = line.getresponse()
            content = reply.read()
            assert reply.status == 201, (reply.status, content)
    line.close()
    return sum(len(box) for box in boxes)


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
