"""`filterd run`: the service until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys

from filterd import cores, descriptors, pauses, tasks
from filterd.app import checked
from filterd.app.front import Front
from filterd.config import Settings

_M_ARENA_MAX = -8  # malloc.h
_log = logging.getLogger("filterd")


def run(settings: Settings) -> int:
    """Run the service until SIGTERM or SIGINT; gives the exit code. ConfigError: nothing ran."""
    checked.check(settings)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    _one_heap()
    # a worker's memory knows who asked for what: no crash may put it on the disk
    cores.forbid()
    descriptors.raise_limit()
    front = Front(settings)
    front.open()
    return asyncio.run(_serve(front))


def _one_heap() -> None:
    """All threads take from one heap. glibc gives each its own, and a policy is compiled by any of
    six: each heap keeps what the largest compilation needed, 2 to 3 MiB that no other thread uses.
    Other C libraries have no such call."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


async def _serve(front: Front) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(pauses.behind())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: tasks.spawn(front.reload(), "reload"))
    try:
        if await _started(front, stop):
            await stop.wait()
    finally:
        await front.stop()
    # Everything is closed. A host name that does not resolve holds a thread for many seconds, and
    # waiting for it would hold the next start, while nobody answers.
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


async def _started(front: Front, stop: asyncio.Event) -> bool:
    """Start everything; False when a signal came first. It cancels the start where it is, whatever
    that waits for: lists being compiled, a locked database, a worker."""
    here = asyncio.current_task()
    assert here is not None
    signalled = tasks.spawn(stop.wait(), "signal")
    signalled.add_done_callback(lambda done: None if done.cancelled() else here.cancel())
    try:
        await front.start(lambda text: print(text, file=sys.stdout, flush=True))
    except asyncio.CancelledError:
        here.uncancel()
        return False
    finally:
        signalled.cancel()
    return True
