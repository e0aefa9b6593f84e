"""What systemd is told: READY after the first canary question that came out right, WATCHDOG after
each further one, and nothing otherwise.

A filter that runs but does not filter is not ready; systemd starts it anew (TimeoutStartSec,
WatchdogSec). Knows neither DNS nor workers: whether the filter works is asked of `works`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from filterd.supervise.notify import Notifier

_log = logging.getLogger("filterd.proof")
_PAUSE_SECONDS = 0.2
_LOUD_AFTER = 25
"""Failures before the log is told: the first seconds of a start are allowed to fail."""


async def prove(
    notifier: Notifier, works: Callable[[], Awaitable[bool]], pause: float = _PAUSE_SECONDS
) -> None:
    """Until cancelled: sd_notify(3) says what the canary questions showed and nothing more."""
    tries = 0
    while not await works():
        tries += 1
        if tries % _LOUD_AFTER == 0:
            _log.error("not ready: the filter does not answer its own canary question")
            notifier.send("STATUS=chưa lọc được / the canary question fails")
        await asyncio.sleep(pause)
    notifier.send("READY=1", "STATUS=đang lọc / filtering")
    if notifier.watchdog_seconds is None:
        return
    good = True
    while True:
        # a failed question is repeated at once: one lost datagram must not cost a restart
        await asyncio.sleep(notifier.watchdog_seconds / 2 if good else pause)
        was, good = good, await works()
        if good:
            notifier.send("WATCHDOG=1", *(() if was else ("STATUS=đang lọc / filtering",)))
        elif was:
            _log.error("no sign of life for systemd: the canary question failed")
            notifier.send("STATUS=câu hỏi thử sai / the canary question fails")
