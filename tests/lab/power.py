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
from collections.abc import Iterator
from pathlib import Path

import pytest

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


def descendants(pid: int) -> list[int]:
    """The process and everything it started."""
    found = [pid]
    for one in found:
        for folder in Path(f"/proc/{one}/task").glob("*"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in (folder / "children").read_text().split()]
    return found


def cut(image: Path, copy: Path, pids: list[int]) -> None:
    """Copy the disk as it is now."""
    stopped = [each for pid in pids for each in descendants(pid)]
    for pid in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        subprocess.run(["cp", "--sparse=always", str(image), str(copy)], check=True)
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
