"""sd_notify(3): tells systemd that the filter works; silent where there is no NOTIFY_SOCKET."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Sends states to systemd. `watchdog_seconds` is the unit's WatchdogSec, None without one."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._path = environment.get("NOTIFY_SOCKET")
        limit = environment.get("WATCHDOG_USEC")
        own = environment.get("WATCHDOG_PID") in (None, str(os.getpid()))
        self.watchdog_seconds = int(limit) / 1e6 if limit and own else None

    def send(self, *lines: str) -> None:
        """Send `READY=1`, `WATCHDOG=1`, `STATUS=…`, `RELOADING=1`, `STOPPING=1`."""
        if not self._path:
            return
        path = "\0" + self._path[1:] if self._path.startswith("@") else self._path
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            try:
                out.sendto("\n".join(lines).encode(), path)
            except OSError:
                return  # a missing ping is what the watchdog is there to notice
