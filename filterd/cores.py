"""No memory of a process that knows who asked for what reaches the disk as a core.

Knows nothing of what the memory holds.
"""

from __future__ import annotations

import ctypes
import resource

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def forbid() -> None:
    """No core of this process, whatever its limit and wherever the kernel sends cores.

    The limit is inherited but does not bind a program behind `core_pattern`; what is not dumpable
    (prctl(2)) goes to nobody, and no other process of the same user may read its memory. An
    `execve` makes a process dumpable again, so each one calls this for itself.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
