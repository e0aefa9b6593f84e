"""Bad disks: really full ones, and processes killed at each step that changes a file.

Whatever happens, the index in use opens and is the old or the new one, the status says why, and
the next try succeeds and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.lists.index import open_index
from filterd.lists.update import Result
from filterd.policy.verdict import Question
from filterd.wire.names import Name
from tests.lab.list_school import NAMES, School
from tests.lab.list_server import ListServer, list_server

MORE = NAMES + "".join(f"more{i}.example\n" for i in range(300))


@pytest.fixture(scope="module")
def lab() -> Iterator[ListServer]:
    with list_server() as found:
        yield found


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own that is really full when it is full."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, leave_kib: int) -> Path:
    """Take all room but `leave_kib`; the file that takes it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while True:
            out.write(b"\0" * 4096)
    with filler.open("r+b") as out:
        out.truncate(max(filler.stat().st_size - leave_kib * 1024, 0))
    return filler


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
@pytest.mark.parametrize("leave_kib", [0, 16, 40, 140])
def test_a_full_disk_changes_nothing_and_the_status_says_why(
    lab: ListServer, tmp_path: Path, leave_kib: int
) -> None:
    """From no room for the fetch to room for all but the end of compiling."""
    with small_disk(tmp_path / "disk", "3m") as disk:
        school = School(disk, lab)
        school.add("bad", lab.put("/bad.txt", NAMES))
        assert school.update()["bad"][0] is Result.CHANGED
        before = school.library.store.index.resolve()
        content = before.read_bytes()
        school.used.clear()
        lab.put("/bad.txt", MORE)
        filler = fill(disk, leave_kib)
        outcome, why = school.update()["bad"]
        if outcome is Result.CHANGED:
            assert leave_kib >= 80, "there was no room for a second index"
            assert school.blocked("more7.example")
            return
        assert outcome is Result.FAILED
        assert any(word in why for word in ("No space left", "disk is nearly full")), why
        assert school.library.store.index.resolve() == before and before.read_bytes() == content
        assert school.blocked("bad7.example") and not school.blocked("more7.example")
        assert not school.used
        item = School(disk, lab).item("bad")  # read from the disk, by whoever asks next
        assert item["error"] and item["state"] in ("fresh", "failed")
        filler.unlink()
        assert school.update()["bad"][0] is Result.CHANGED
        assert school.blocked("more7.example")
        assert (disk / "lists" / "spare").stat().st_size > 0
        assert not [*(disk / "lists").glob(".*"), *(disk / "lists/sources/bad").glob(".*")]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
def test_the_refresher_outlives_a_full_disk(lab: ListServer, tmp_path: Path) -> None:
    """The loop that keeps the lists fresh goes on when the disk has room again."""
    with small_disk(tmp_path / "disk", "3m") as disk:
        school = School(disk, lab)
        school.add("bad", lab.put("/bad.txt", NAMES))
        school.update()
        filler = fill(disk, 0)
        (disk / "lists" / "spare").unlink(missing_ok=True)
        fill(disk, 0)
        with (disk / "filler2").open("wb", buffering=0) as out, contextlib.suppress(OSError):
            while True:
                out.write(b"\0" * 4096)
        lab.put("/bad.txt", MORE)
        school.now = school.now.replace(day=28)

        async def rounds() -> None:
            loop = asyncio.create_task(school.refresher.run())
            await asyncio.sleep(1.5)
            assert not loop.done(), loop
            loop.cancel()

        asyncio.run(rounds())
        assert school.blocked("bad7.example")
        filler.unlink()
        (disk / "filler2").unlink()
        assert school.update()["bad"][0] is Result.CHANGED


KILLER = """
import atexit, os, signal, sys
FOLDER, COUNTER = os.environ["KILL_FOLDER"], os.environ["KILL_COUNTER"]
AT = int(os.environ["KILL_AT"])
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.truncate"}
with open(COUNTER + ".pids", "a") as pids:
    pids.write(f"{os.getpid()}\\n")
def watch(event, given):
    if event == "open":
        path, mode, flags = given
        if not isinstance(path, str) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
    elif event in CHANGES:
        path = os.fspath(given[event == "os.symlink"])
    else:
        return
    if not path.startswith(FOLDER) or path.startswith(COUNTER):
        return
    handle = os.open(COUNTER, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(handle, b".")
    size = os.fstat(handle).st_size
    os.close(handle)
    if size == AT:
        with open(COUNTER + ".at", "w") as out:
            out.write(f"{event} {path}")
        for pid in open(COUNTER + ".pids").read().split():
            if int(pid) != os.getpid():
                try: os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError: pass
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
"""
CHILD = """
import sys
from pathlib import Path
from tests.lab.list_school import School
class Lab: pass
school = School(Path(sys.argv[1]), Lab())
print(school.update())
"""


class Killed:
    """Updates of one school, each killed with all its processes at its n-th change of a file."""

    def __init__(self, folder: Path, lab: ListServer) -> None:
        self.folder, self.lab = folder, lab
        self.hook = folder / "hook"
        self.hook.mkdir()
        (self.hook / "sitecustomize.py").write_text(KILLER)
        self.school = School(folder / "school", lab)

    def update(self, at: int) -> str | None:
        """What was about to happen when everything was killed; None: it went to its end."""
        counter = self.hook / f"n{at}"
        environment = {
            **os.environ, "PYTHONPATH": f"{self.hook}:{Path(__file__).parents[3]}",
            "KILL_FOLDER": str(self.folder / "school" / "lists"), "KILL_COUNTER": str(counter),
            "KILL_AT": str(at),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(self.folder / "school")], env=environment,
            capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        if done.returncode == -signal.SIGKILL:
            return (self.hook / f"n{at}.at").read_text()
        assert done.returncode == 0, done.stderr.decode()
        return None


def killed_at(folder: Path, lab: ListServer, steps: range) -> list[str]:
    """Kill an update at each of these steps; what was about to happen at each."""
    (folder / "school").mkdir(parents=True)
    killed = Killed(folder, lab)
    school = killed.school
    school.add("bad", lab.put("/bad.txt", NAMES))
    assert school.update()["bad"][0] is Result.CHANGED
    known, reached = {open_index(school.library.store.index).version}, []
    for turn, at in enumerate(steps):
        fresh = f"turn{turn}.example"
        lab.put("/bad.txt", NAMES + f"{fresh}\n")
        if (step := killed.update(at)) is None:
            break
        reached.append(step)
        index = open_index(school.library.store.index)
        assert index.listings(Question(Name("bad7.example"), 1)), step
        state = school.library.store.state()
        assert state.of("bad").current and state.digest, step
        # what the next start of the service does, and the next night
        asyncio.run(school.refresher._catch_up())
        school.update()
        assert school.blocked(fresh) and school.blocked("bad7.example"), step
        left = [p.name for p in (school.folder / "lists").glob(".*")]
        assert not left, f"after {step}: {left}"
        assert school.item("bad")["state"] == "fresh", step
        known.add(open_index(school.library.store.index).version)
    assert len(known) == len(reached) + 1
    return reached


def test_an_update_killed_at_any_change_of_a_file(lab: ListServer, tmp_path: Path) -> None:
    """Every seventeenth change; `make test-full` takes them all."""
    reached = killed_at(tmp_path, lab, range(5, 400, 17))
    assert len(reached) >= 2, reached


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_update_killed_at_every_change_of_a_file(lab: ListServer, tmp_path: Path) -> None:
    reached = killed_at(tmp_path, lab, range(1, 400))
    text = "\n".join(reached)
    for step in (".part", "state.json", "rename", "symlink", ".compile-", "index.fdx"):
        assert step in text, f"no kill at {step}:\n{text}"
