"""Files that are there whole or not at all: the old content or the new one, also after a power cut.

Owns how that is done and the name of the half-written neighbour, `.<name>.<thread>.part`. Knows
neither what a file is for nor whose error a failure is: it raises OSError.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

_SECRET = 0o600


@contextlib.contextmanager
def fresh(path: Path, *, mode: int | None = None, lasting: bool = True) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `path` when the block ends, and goes when it raises.

    `mode` is exact; None leaves it to the umask. With `lasting` the content, then the name, are on
    the disk at the end; without it a power cut may leave an empty file: for what is made anew.
    """
    part = _beside(path)
    part.unlink(missing_ok=True)  # of one that was killed and had our number
    try:
        with _new(part, mode) as out:
            yield out
            if lasting:
                out.flush()
                os.fsync(out.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    if lasting:
        flush(path.parent)


def replace(path: Path, content: bytes, *, mode: int | None = None, lasting: bool = True) -> None:
    """`path` with this content; see `fresh`."""
    with fresh(path, mode=mode, lasting=lasting) as out:
        out.write(content)


def settle(part: Path, path: Path) -> None:
    """Move a file that is written already to its place, where it is found after a power cut."""
    flush(part)
    part.replace(path)
    flush(path.parent)


def secret(path: Path, make: Callable[[], bytes]) -> bytes:
    """What is kept in `path` (0600, in a folder of 0700): made on the first use.

    Of several that ask for it at once all get what the first made. An empty file counts as none.
    """
    with contextlib.suppress(FileNotFoundError):
        if found := path.read_bytes():
            return found
        path.unlink(missing_ok=True)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = _beside(path)
    # `fresh` for a name of our own: linked from there, so that who was first stays
    replace(part, make(), mode=_SECRET)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
        flush(path.parent)
        return path.read_bytes()
    finally:
        part.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Have a file's content, or a folder's names, on the disk (fsync(2))."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _beside(path: Path) -> Path:
    """No other thread of this machine has that name now."""
    return path.with_name(f".{path.name}.{threading.get_native_id()}.part")


def _new(part: Path, mode: int | None) -> IO[bytes]:
    """Made here and by nobody before, also where others may write: O_EXCL follows no link."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    handle = os.open(part, flags, 0o666 if mode is None else _SECRET)
    try:
        if mode is not None:
            os.fchmod(handle, mode)
    except BaseException:
        os.close(handle)
        raise
    return os.fdopen(handle, "wb")
