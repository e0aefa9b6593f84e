"""Whether the wall clock may be believed: timetables hang on it, and small boxes have no battery.

A box without a hardware clock starts in 1970, or where it was when the power went. Until the time
is known the stricter side of every timetable holds (architecture §3). Knows no policy.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filterd import RELEASED

_SLACK = timedelta(days=1)
_HARDWARE = Path("sys/class/rtc")
_TIMESYNC = Path("run/systemd/timesync")
_DAEMONS = (_TIMESYNC, Path("run/chrony"), Path("run/ntpd.pid"), Path("run/openntpd"))
"""Where timesyncd, chronyd, ntpsec and openntpd of Debian are seen to run."""
_PATIENCE_S = 3.0
_MAX_ERROR_US = 16_000_000
"""NTP_PHASE_LIMIT: the kernel itself calls a clock with a greater error unsynchronised."""


def plausible(now: datetime, latest: datetime | None) -> bool:
    """Whether `now` can be right: not before this release, nor a day before the `latest` time that
    this box is known to have seen."""
    known = RELEASED if latest is None else max(RELEASED, latest)
    return now > known - _SLACK and now > RELEASED


def seen_by(path: Path) -> datetime | None:
    """When the file was last written, by this box's clock of that day; None without it."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None


def awaited(root: Path = Path("/"), kept: Callable[[], bool | None] | None = None) -> bool:
    """Whether this box has no hardware clock and its time daemon has not set the time yet.

    Without a battery the clock starts where it was when the power went (timesyncd, `fake-hwclock`):
    plausible, and late by the whole night. `kept` tells whether the kernel's clock is kept by NTP
    (`synchronised`). Where no daemon keeps the time the clock is judged by `plausible` alone: there
    is nothing to wait for. Blocking.
    """
    battery = (root / _HARDWARE).is_dir() and any((root / _HARDWARE).iterdir())
    if battery or not any((root / each).exists() for each in _DAEMONS):
        return False
    if (root / _TIMESYNC / "synchronized").exists():
        return False
    return (kept or synchronised)() is not True


def synchronised() -> bool | None:
    """Whether NTP keeps the kernel's clock, whichever program does it; None where nobody can tell.

    systemd's timedated is asked first: the filter's own sandbox forbids adjtimex(2), which also
    sets clocks. Both look at the same word of the kernel (timedated: maxerror below 16 s).
    """
    try:
        done = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            capture_output=True, text=True, timeout=_PATIENCE_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return _kernel()
    said = done.stdout.strip()
    return said == "yes" if done.returncode == 0 and said else _kernel()


def _kernel() -> bool | None:
    """adjtimex(2) with modes 0 reads `struct timex`: maxerror is its fourth long (microseconds)."""
    words = (ctypes.c_long * 64)()
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(words))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else words[3] < _MAX_ERROR_US
