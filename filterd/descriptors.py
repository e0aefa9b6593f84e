"""How many files and sockets this process may have open, and their table in the kernel.

Knows nothing of what is opened.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource

_MOST = 65_536
_ROOM = 16_384


def raise_limit() -> None:
    """Allow as many as a gateway needs, within the hard limit: each exchange with an upstream has
    a socket of its own, and a shell's usual 1,024 are few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, _MOST)), hard))


def make_room() -> None:
    """Let the kernel make the table of descriptors as large as it may become, now.

    It doubles the table whenever the next socket finds it full, and where threads share the table
    it first waits until every processor has let go of the old one (`expand_fdtable` in Linux's
    fs/file.c calls synchronize_rcu): 10 to 20 ms in which a worker answered nobody, at its 64th,
    128th, 256th … socket. A table of 16,384 takes 128 KiB. To be called by a process of one
    thread; a child that is forked gets a table of the size of what is open, so it calls again.
    """
    most = min(_ROOM, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    # without descriptors to spare, or with none open, it stays as it is
    with contextlib.suppress(OSError):
        os.close(fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, most - 1))
