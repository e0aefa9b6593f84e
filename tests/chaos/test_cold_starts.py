"""The power goes and comes, again and again: each start filters from its first answer on."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.packets import query, udp_ask
from tests.lab.processes import descendants
from tests.lab.quick_upstream import quick_upstream
from tests.lab.running import RunningFilterd, until

STARTS, PUPIL = 50, "127.0.12.1"
CANARY, BLOCKED = "allowed.canary.filterd.test", "school.blocked.example"
"""The upstream knows an address for both: an answer that nobody judged would be NOERROR."""


@pytest.fixture
def filterd(tmp_path: Path) -> Iterator[RunningFilterd]:
    with quick_upstream() as upstream:
        made = RunningFilterd(tmp_path, {"upstreams": [upstream.url]})
        made.start()
        made.control.call("overrides.add", name=BLOCKED, allow=False, minutes=600, reason="thử")
        yield made
        made.stop(signal.SIGKILL)


def rcode(filterd: RunningFilterd, name: str, seconds: float = 1.0) -> int | None:
    reply = udp_ask(filterd.port, query(name), seconds, PUPIL)
    return None if reply is None else reply[3] & 15


def cut(filterd: RunningFilterd) -> None:
    """kill -9 to the supervisor; its workers have to end by themselves."""
    assert filterd.process is not None
    family = descendants(filterd.process.pid)[1:]
    filterd.stop(signal.SIGKILL)
    until(lambda: not any(lives(pid) for pid in family), 20, "the workers' end")


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def descriptors(filterd: RunningFilterd) -> list[int]:
    """How many each process has open: the supervisor's and its workers'."""
    assert filterd.process is not None
    return [len(os.listdir(f"/proc/{pid}/fd")) for pid in descendants(filterd.process.pid)]


def left(filterd: RunningFilterd) -> set[str]:
    """Every file of the state directory; the log of the database comes and goes."""
    var = filterd.folder / "var"
    found = {str(path.relative_to(var)) for path in var.rglob("*")}
    return {name for name in found if not name.endswith(("-wal", "-shm"))}


def cold_start(filterd: RunningFilterd, whole: bool) -> tuple[set[int], float]:
    """Start; the rcodes for the blocked name until a refusal came, and after how long that was.
    READY has to come after it is true; a start that is not to be `whole` is cut before."""
    path = filterd.folder / "notify"
    path.unlink(missing_ok=True)
    told: set[int] = set()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(path))
        heard.settimeout(60)
        began = time.monotonic()
        filterd.spawn({"NOTIFY_SOCKET": str(path)})
        if not whole:
            time.sleep(random.uniform(0, 0.8))  # any moment will do
            return told, 0.0
        while 3 not in told:
            found = rcode(filterd, BLOCKED, 0.02)
            told |= set() if found is None else {found}
            assert time.monotonic() - began < 60, filterd.text()
        seconds = time.monotonic() - began
        while b"READY=1" not in heard.recv(1000):
            pass
        assert rcode(filterd, BLOCKED) == 3 and rcode(filterd, CANARY) == 0
    return told, seconds


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fifty_starts_filter_from_their_first_answer_on(filterd: RunningFilterd) -> None:
    """Every third start is cut itself, at a moment that nobody chose. One start alone:
    `test_process_faults.py`, `test_the_supervisor_dies_and_comes_back`."""
    until(lambda: rcode(filterd, BLOCKED) == 3, 20, "the refusal")
    cut(filterd)
    cold_start(filterd, whole=True)
    until(lambda: "is running" in filterd.text(), 60, "the whole start")
    open_before, files_before = descriptors(filterd), left(filterd)
    slowest = 0.0
    for number in range(STARTS):
        cut(filterd)
        told, seconds = cold_start(filterd, whole=number % 3 != 1)
        assert told <= {2, 3}, "an answer that nobody judged"
        slowest = max(slowest, seconds)
    cut(filterd)
    with contextlib.closing(sqlite3.connect(filterd.folder / "var" / "filterd.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    told, seconds = cold_start(filterd, whole=True)
    until(lambda: "is running" in filterd.text(), 60, "the whole start")
    print(f"{STARTS} cold starts, the first refusal after {max(slowest, seconds):.2f} s at most")
    assert filterd.control.call("audit.verify")["ok"]
    assert "damaged" not in filterd.text() and "Traceback" not in filterd.text()
    assert left(filterd) - files_before == set(), "left behind"
    least = sum(open_before)
    until(lambda: sum(descriptors(filterd)) <= least, 30, "descriptors as after the first start")
