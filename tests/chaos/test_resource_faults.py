"""Memory, disk, database and loop fail under a running filter: it filters on, or says why not."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.control.client import ControlError
from tests.conformance.beside import good_questions
from tests.lab.packets import query, udp_ask
from tests.lab.power import mounted
from tests.lab.running import ROOT, RunningFilterd, until, workers

CANARY, BLOCKED = "allowed.canary.filterd.test", "porn.canary.filterd.test"
MEMORY_MIB = 320
pytestmark = pytest.mark.root


def outcome(filterd: RunningFilterd, name: str, seconds: float = 2.0) -> int | None:
    reply = udp_ask(filterd.port, query(name), seconds, "127.0.12.1")
    return None if reply is None else reply[3] & 15


def filters(filterd: RunningFilterd) -> bool:
    return (outcome(filterd, CANARY), outcome(filterd, BLOCKED)) == (0, 3)


def save(filterd: RunningFilterd, name: str) -> int:
    return int(filterd.control.call(
        "overrides.add", name=name, allow=False, minutes=9, reason="thử lỗi"
    )["revision"])  # fmt: skip


# --- memory ---------------------------------------------------------------------------------


@contextlib.contextmanager
def memory_group(name: str, limit_mib: int) -> Iterator[Path]:
    """A control group with so much memory, of version 1 or 2; skips where none can be made."""
    v1, v2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    folder, key = (v1, "memory.limit_in_bytes") if v1.is_dir() else (v2, "memory.max")
    group = folder / name
    try:
        group.mkdir()
        (group / key).write_text(str(limit_mib << 20))
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip(f"no memory group can be made here: {error}")
    try:
        yield group
    finally:
        until(lambda: not (group / "cgroup.procs").read_text().split(), 20, "the group's end")
        group.rmdir()


def test_memory_runs_out_and_the_compiler_goes_first(filterd: RunningFilterd) -> None:
    """A process with the compiler's limits takes all that the group has, beside load: it goes, and
    the answering processes stay."""
    with memory_group(f"filterd-test-{os.getpid()}", MEMORY_MIB) as group:
        join = f'echo $$ > "{group}/cgroup.procs"; exec "$@"'
        filterd.prefix = ("sh", "-c", join, "sh")
        filterd.settings["cache"] = {"size_mib": 16}
        filterd.start()
        before = workers(filterd)
        with good_questions(filterd.port, "new{n}.lesson.example", 300) as stream:
            compiling = [*filterd.prefix, sys.executable, "-c", HUNGRY]
            hungry = subprocess.run(
                compiling, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)}
            )
        print(f"asked {len(stream.times)}, lost {stream.lost}")
        assert hungry.returncode == -signal.SIGKILL, "the group's memory did not run out"
        assert workers(filterd) == before, "an answering process went before the hungry one"
        assert filters(filterd)
        assert stream.lost <= len(stream.times) // 100
        assert filterd.stop() == 0


HUNGRY = """
from filterd.lists.compile import limit
limit(4096)
held = []
while True:
    held.append(bytearray(b"x") * (8 << 20))
"""


# --- disk -----------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs Debian's strace")
@pytest.mark.parametrize(
    ("calls", "error"),  # writes and flushes: `make test-full`
    [
        ("rename,renameat,renameat2", "ENOSPC"),
        pytest.param("pwrite64,write", "ENOSPC", marks=pytest.mark.slow),
        pytest.param("fsync,fdatasync", "ENOSPC", marks=pytest.mark.slow),
    ],
    ids=["rename", "write", "fsync"],
)
def test_the_disk_says_full_to_one_call(filterd: RunningFilterd, calls: str, error: str) -> None:
    """To the files below the state directory alone: a save fails or is whole, answers go on."""
    filterd.start()
    assert filterd.process is not None
    save(filterd, "truoc.example")
    with tracing(filterd.process.pid, calls, error, filterd.folder / "var" / "filterd.db-wal"):
        revision = filterd.control.call("policy.get")["revision"]
        accepted: int | None = None
        with contextlib.suppress(ControlError):
            accepted = save(filterd, "trong.example")
        assert filters(filterd)
        if accepted is None:
            assert filterd.control.call("policy.get")["revision"] == revision
    later = until(lambda: attempt(filterd), 20, "a save on the disk that works again")
    filterd.stop()
    filterd.start()
    assert filterd.control.call("policy.get")["revision"] == later
    assert filters(filterd)


def attempt(filterd: RunningFilterd) -> int | None:
    with contextlib.suppress(ControlError):
        return save(filterd, "sau.example")
    return None


@contextlib.contextmanager
def tracing(pid: int, calls: str, error: str, only: Path) -> Iterator[None]:
    """strace makes these calls of the process fail; for writes, those to one file."""
    path = ["-P", str(only)] if "write" in calls else []
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", "/dev/null", *path, "-e", f"trace={calls}",
         "-e", f"inject={calls}:error={error}", "-p", str(pid)], stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        until(lambda: "TracerPid:\t0" not in Path(f"/proc/{pid}/status").read_text()
              or tracer.poll() is not None, 10)  # fmt: skip
        if tracer.poll() is not None:
            assert tracer.stderr is not None
            pytest.skip(f"this kernel does not let strace attach: {tracer.stderr.read()!r}")
        yield
    finally:
        tracer.terminate()
        tracer.wait(10)


@pytest.mark.slow
def test_lists_are_compiled_on_a_disk_that_is_too_small(tmp_path: Path) -> None:
    """A real small ext4: the compile fails and says so, the index that was there stays."""
    image = tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(24 << 20)
    made = subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], capture_output=True)
    if made.returncode:
        pytest.skip(f"no ext4 here: {made.stderr!r}")
    with mounted(image, tmp_path / "on") as disk:
        filterd = RunningFilterd(tmp_path, {"workers": 1, "state_dir": str(disk / "var")})
        try:
            filterd.start()
            index = (disk / "var" / "lists" / "index.fdx").resolve()
            octets = index.read_bytes()
            with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
                while True:
                    filler.write(bytes(65_536))
            source = tmp_path / "from"
            source.mkdir()
            (source / "games.domains").write_text("".join(f"g{n}.example\n" for n in range(50_000)))
            done = filterd.command("lists", "compile", "--from", str(source))
            assert done.returncode != 0
            assert "No space left" in done.stdout + done.stderr
            assert index.read_bytes() == octets
            assert filters(filterd)
        finally:
            filterd.stop(signal.SIGKILL)


# --- database -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        "deleted",
        pytest.param("overwritten", marks=pytest.mark.slow),
        pytest.param("truncated WAL", marks=pytest.mark.slow),
    ],
)
def test_the_database_goes_wrong_under_a_running_filter(
    filterd: RunningFilterd, fault: str
) -> None:
    """Answers do not need it. What was saved before is in force after the next start."""
    filterd.start()
    save(filterd, "truoc.example")
    state = filterd.folder / "var"
    if fault == "deleted":
        for file in state.glob("filterd.db*"):
            file.unlink()
    elif fault == "overwritten":
        with (state / "filterd.db").open("r+b") as file:
            file.write(os.urandom(8192))
    else:
        os.truncate(state / "filterd.db-wal", 100)
    with contextlib.suppress(ControlError):
        save(filterd, "trong.example")
    assert filters(filterd)
    assert outcome(filterd, "truoc.example") == 3
    filterd.stop()
    filterd.start()
    assert filters(filterd)
    assert outcome(filterd, "truoc.example") == 3
    assert until(lambda: attempt(filterd), 20, "a save")


# --- the loop -------------------------------------------------------------------------------

STUCK = """
import signal, time
signal.signal(signal.SIGUSR2, lambda *_: time.sleep(30))
"""


def test_a_stuck_event_loop_is_noticed_and_replaced(filterd: RunningFilterd) -> None:
    """A worker's loop runs into half a minute of sleep; the other serves, a new one comes."""
    (filterd.folder / "sitecustomize.py").write_text(STUCK)
    filterd.start({"PYTHONPATH": f"{filterd.folder}{os.pathsep}{ROOT}"})
    stuck = workers(filterd)[0]
    with good_questions(filterd.port, CANARY, 300) as stream:
        began = time.monotonic()
        os.kill(stuck, signal.SIGUSR2)
        until(lambda: stuck not in (now := workers(filterd)) and len(now) == 2, 20)
        print(f"replaced after {time.monotonic() - began:.1f} s")
    print(f"asked {len(stream.times)}, lost {stream.lost}")
    assert stream.lost <= max(2, len(stream.times) // 50)
    assert "silent" in filterd.text() or "stuck" in filterd.text()
    assert filters(filterd)
