"""Workers forked from the supervisor before it has a loop, a thread or anything of its own.

What both import is then in memory once (copy on write); a worker that replaces one of these is
executed anew and shares nothing. Knows no frame of the link.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import resource
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

_PR_SET_NAME = 15  # linux/prctl.h
_NAME = b"filterd-worker"
"""What `ps` and `top` call it: the command line is the supervisor's."""


class Forked:
    """A child under `pid`; `link` is our end of the socket pair that it got the other end of."""

    def __init__(self, pid: int, link: socket.socket) -> None:
        self.pid = pid
        self.link = link
        self.returncode: int | None = None
        self._descriptor = os.pidfd_open(pid)
        self._ended: asyncio.Event | None = None

    async def wait(self) -> int:
        """Its exit code, once it ended; negative: the signal that ended it."""
        if self._ended is None:
            self._ended = asyncio.Event()
            asyncio.get_running_loop().add_reader(self._descriptor, self._reap)
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        _, status = os.waitpid(self.pid, 0)
        self.returncode = os.waitstatus_to_exitcode(status)
        assert self._ended is not None
        self._ended.set()


def possible() -> bool:
    """Whether the kernel tells when a child ends that was not executed (pidfd_open(2), 5.3)."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def fork(count: int, inherited: Sequence[int], work: Callable[[int], None]) -> tuple[Forked, ...]:
    """Start `count` children that do `work` on their end of a link, with no descriptor but that,
    the inherited ones and the standard ones. Nobody else may run in this process meanwhile.

    What exists now is not looked at by the collector any more, here and there: it writes into
    every object it looks at, and what is written into is shared no longer.
    """
    gc.collect()
    gc.freeze()
    return tuple(_fork(inherited, work) for _ in range(count))


def _fork(inherited: Sequence[int], work: Callable[[int], None]) -> Forked:
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        ours.detach()
        _child(theirs.detach(), inherited, work)
    theirs.close()
    return Forked(pid, ours)


def _child(link: int, inherited: Sequence[int], work: Callable[[int], None]) -> NoReturn:
    try:
        os.setsid()  # Ctrl-C is for the supervisor, which stops workers itself
        _close_all_but({0, 1, 2, link, *inherited})
        ctypes.CDLL(None).prctl(_PR_SET_NAME, _NAME, 0, 0, 0)
        work(link)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _close_all_but(kept: set[int]) -> None:
    below = 0
    for each in sorted(kept):
        if below < each:  # closerange(0, 0) closes everything
            os.closerange(below, each)
        below = each + 1
    os.closerange(below, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
