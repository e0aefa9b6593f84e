"""Whether the wall clock may be believed: timetables hang on it, and small boxes have no battery.

A box without a hardware clock starts in 1970, or where it was when the power went. Until the time
is known the stricter side of every timetable holds (architecture §3). Knows no policy.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
"""No clock can be right that shows a time before this release."""
_SLACK = timedelta(days=1)
_HARDWARE = Path("sys/class/rtc")
_TIMESYNC = Path("run/systemd/timesync")


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


def awaited(root: Path = Path("/")) -> bool:
    """Whether this box has no hardware clock and systemd-timesyncd has not set the time yet.

    At start timesyncd puts the clock to when it last ran: plausible, and late by the whole night
    (systemd-timesyncd.service(8): `clock` and `synchronized`). Where another program keeps the
    time there is no telling, and the clock is judged by `plausible` alone.
    """
    battery = (root / _HARDWARE).is_dir() and any((root / _HARDWARE).iterdir())
    timesync = root / _TIMESYNC
    return not battery and timesync.is_dir() and not (timesync / "synchronized").exists()
