"""A disk whose power can be cut: an ext4 image on a loop device, copied at any moment.

What the copy holds is what a disk would hold: only what was flushed to it. While the copy is made
the processes that write are stopped, so that it shows one moment; the mount commits by itself
only every five minutes, so that nothing but the product's own flushes saves anything.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.processes import descendants
from tests.lab.running import until

MIB = 1 << 20


def need() -> None:
    """Skip where images cannot be mounted; in CI that is a failure."""
    lacking = [tool for tool in ("mkfs.ext4", "mount", "losetup") if shutil.which(tool) is None]
    reason = "needs root" if os.geteuid() else f"needs {', '.join(lacking)}" if lacking else ""
    if not reason and not Path("/dev/loop-control").exists():
        reason = "the kernel has no loop devices here"
    elif reason and os.environ.get("CI") == "true":
        pytest.fail(f"power cuts {reason}, and CI has to run them")
    if reason:
        pytest.skip(reason)


@contextlib.contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    """The image, mounted for the block."""
    at.mkdir(exist_ok=True)
    options = "loop,commit=300,noatime"
    subprocess.run(["mount", "-o", options, str(image), str(at)], check=True, capture_output=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True, capture_output=True)


def make_image(path: Path, mib: int = 48) -> Path:
    """An empty file system."""
    with path.open("wb") as file:
        file.truncate(mib * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(path)], check=True, capture_output=True)
    return path


def _stands(pid: int) -> bool:
    """Whether none of its threads runs or is inside of a write; ended counts."""
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            if stat.read_text().rpartition(") ")[2][0] not in "TtZX":
                return False
    return True


def cut(image: Path, copy: Path, pids: list[int]) -> None:
    """Copy the disk as it is now.

    A signal takes its time, and who is in the middle of a flush ends it first; the kernel's
    journal may still write then. A copy made meanwhile would mix two moments, which no disk does:
    so it is one moment's only when the image reads the same again afterwards.
    """
    stopped: list[int] = []
    try:
        until(lambda: _stop(pids, stopped), 60, "everything stopped")
        for _ in range(50):
            copy.unlink(missing_ok=True)  # a new file: the last one's loop device may linger
            subprocess.run(["cp", "--sparse=always", str(image), str(copy)], check=True)
            if image.read_bytes() == copy.read_bytes():
                return
        pytest.fail("somebody else writes to the disk all the time")
    finally:
        _signal(stopped, signal.SIGCONT)


def _stop(pids: list[int], stopped: list[int]) -> bool:
    """Stop all of them; False after a second in vain: whoever starts a program cannot be stopped
    until it runs (vfork(2)), and that was stopped before it did."""
    _signal(stopped, signal.SIGCONT)
    stopped[:] = [each for pid in pids for each in descendants(pid)]
    _signal(stopped, signal.SIGSTOP)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        if all(map(_stands, stopped)):
            return True
        time.sleep(0.005)
    return False


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
