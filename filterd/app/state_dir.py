"""The state directory: made on the first start, held by one supervisor at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from filterd.errors import ConfigError, Problem

PARTS = ("run", "keys", "lists", "backups", "spool")
_SOCKET_PATH = 107
"""unix(7): sun_path has 108 octets with its end."""


class Holder:
    """The lock on a state directory; released when the process ends, however it ends."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    @classmethod
    def take(cls, state_dir: Path) -> Holder:
        """Make the directory (0700) and hold it; ConfigError when another filterd does."""
        if len(os.fsencode(state_dir / "run" / "control.sock")) > _SOCKET_PATH:
            raise _problem(f"{state_dir} is too long for the control socket (unix(7)): shorten it")
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            for part in PARTS:
                # the pages' users reach the control socket through their group
                mode = 0o750 if part == "run" else 0o700
                (state_dir / part).mkdir(mode=mode, exist_ok=True)
                (state_dir / part).chmod(mode)  # whatever the umask: systemd's unit has 0077
            path = state_dir / "run" / "holder"
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _problem(f"{state_dir} cannot be used: {error}") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = path.read_text("ascii").strip() or "?"
            os.close(handle)
            raise _problem(f"{state_dir} is in use by another filterd (pid {pid})") from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        return cls(handle)

    def release(self) -> None:
        """Let another supervisor have it."""
        os.close(self._handle)


def _problem(text: str) -> ConfigError:
    return ConfigError([Problem("filterd.yaml", None, "state_dir", text)])
