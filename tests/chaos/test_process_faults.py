"""Processes that die, hang or run out of what they need, while pupils go on asking."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.control.client import ControlError
from tests.conformance.robustness import good_questions
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.packets import query, udp_ask
from tests.lab.processes import cpu_seconds
from tests.lab.running import RunningFilterd, until, workers

CANARY, BLOCKED = "allowed.canary.filterd.test", "porn.canary.filterd.test"


@pytest.fixture
def filterd(tmp_path: Path) -> Iterator[RunningFilterd]:
    with LyingUpstream() as upstream:
        made = RunningFilterd(tmp_path, {"upstreams": [upstream.url], "workers": 2})
        yield made
        if made.process is not None:
            made.stop(signal.SIGKILL)


def outcome(filterd: RunningFilterd, name: str, seconds: float = 1.0) -> int | None:
    reply = udp_ask(filterd.port, query(name), seconds, "127.0.12.1")
    return None if reply is None else reply[3] & 15


def test_three_workers_killed_under_load(filterd: RunningFilterd) -> None:
    filterd.start()
    with good_questions(filterd.port, CANARY, 300) as stream:
        for _ in range(3):
            before = workers(filterd)
            os.kill(before[0], signal.SIGKILL)
            until(lambda old=before[0]: len(now := workers(filterd)) == 2 and old not in now)
    print(f"asked {len(stream.times) + stream.lost}, lost {stream.lost} over three kill -9")
    assert stream.lost <= 3


def test_a_worker_that_hangs_is_replaced_and_the_other_serves(filterd: RunningFilterd) -> None:
    """SIGSTOP stands for a loop that is stuck: what it already took is lost, the rest is not."""
    filterd.start()
    hung = workers(filterd)[0]
    with good_questions(filterd.port, CANARY, 300) as stream:
        os.kill(hung, signal.SIGSTOP)
        began = time.monotonic()
        until(lambda: hung not in workers(filterd) and len(workers(filterd)) == 2, 15)
        seconds = time.monotonic() - began
    print(f"replaced after {seconds:.1f} s; asked {len(stream.times)}, lost {stream.lost}")
    assert stream.lost <= max(2, len(stream.times) // 100)


def test_the_supervisor_dies_and_comes_back(filterd: RunningFilterd) -> None:
    filterd.start()
    assert outcome(filterd, BLOCKED) == 3
    old = workers(filterd)
    filterd.stop(signal.SIGKILL)
    for pid in old:
        until(lambda pid=pid: not Path(f"/proc/{pid}").exists() or _zombie(pid), 10, "their end")
    began = time.monotonic()
    filterd.spawn()
    until(lambda: outcome(filterd, CANARY, 0.2) == 0, 60, "an answer")
    print(f"answers {time.monotonic() - began:.1f} s after a start from what was left")
    assert outcome(filterd, BLOCKED) == 3


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs util-linux")
def test_without_descriptors_udp_goes_on_and_tcp_comes_back(filterd: RunningFilterd) -> None:
    filterd.start()
    for pid in workers(filterd):
        used = len(os.listdir(f"/proc/{pid}/fd"))
        assert os.system(f"prlimit --pid {pid} --nofile={used + 8}:{used + 8}") == 0
    held = []
    try:
        for number in range(64):
            sock = socket.socket()
            sock.settimeout(1)
            sock.bind((f"127.0.12.{number + 1}", 0))
            sock.connect(("127.0.0.1", filterd.port))
            held.append(sock)
        pid = workers(filterd)[0]
        before = cpu_seconds([pid])
        for _ in range(50):
            assert outcome(filterd, CANARY) == 0
            assert outcome(filterd, BLOCKED) == 3
            time.sleep(0.02)
        assert cpu_seconds([pid]) - before < 0.7, (
            "it burns the processor while it waits for descriptors"
        )
    finally:
        for sock in held:
            sock.close()
    until(lambda: outcome(filterd, f"good.n{time.monotonic_ns()}.example") == 0, 20, "recovery")
    assert "Traceback" not in filterd.text()


@pytest.mark.root
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs Debian's strace")
def test_a_disk_that_fails_to_flush_refuses_the_save_and_filters_on(
    filterd: RunningFilterd,
) -> None:
    """EIO on every fsync of the supervisor after its start."""
    filterd.start()
    assert filterd.process is not None
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
         "-e", "inject=fsync,fdatasync:error=EIO", "-p", str(filterd.process.pid)],
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        until(lambda: _traced(filterd.process.pid) or tracer.poll() is not None, 10)
        if tracer.poll() is not None:
            assert tracer.stderr is not None
            pytest.skip(f"this kernel does not let strace attach: {tracer.stderr.read()!r}")
        revision = filterd.control.call("policy.get")["revision"]
        with pytest.raises(ControlError):
            filterd.control.call(
                "overrides.add", name="eio.example", allow=False, minutes=9, reason="đĩa hỏng"
            )
        assert outcome(filterd, CANARY) == 0
        assert outcome(filterd, BLOCKED) == 3
        assert filterd.control.call("policy.get")["revision"] == revision
    finally:
        tracer.terminate()
        tracer.wait(10)
    added = until(lambda: _added(filterd), 20, "a save on the disk that works again")
    assert added["revision"] > revision


def _traced(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    return "TracerPid:\t0" not in status


def _added(filterd: RunningFilterd) -> dict[str, int] | None:
    try:
        return dict(filterd.control.call(
            "overrides.add", name="later.example", allow=False, minutes=9, reason="đĩa lại tốt"
        ))  # fmt: skip
    except ControlError:
        return None


def test_reloads_and_edits_under_load_lose_nothing(filterd: RunningFilterd) -> None:
    filterd.start()
    assert filterd.process is not None
    ended = threading.Event()

    def storm() -> None:
        while not ended.is_set():
            os.kill(filterd.process.pid, signal.SIGHUP)
            time.sleep(0.01)

    thread = threading.Thread(target=storm)
    with good_questions(filterd.port, BLOCKED, 300) as stream:
        thread.start()
        try:
            for number in range(5):
                filterd.control.call(
                    "overrides.add", name=f"s{number}.example", allow=False, minutes=9,
                    reason="bão lệnh",
                )  # fmt: skip
        finally:
            ended.set()
            thread.join()
    print(f"asked {len(stream.times)}, lost {stream.lost}")
    assert stream.lost == 0
