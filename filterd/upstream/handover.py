"""Exchanges that others begin for the pool and hand over half-way: the values they share.

Native forwarding sends the plain questions itself; whatever then is not plain (an alias, a cut
answer, silence, a liar) goes on here, as if this room had sent the question. Knows no socket.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import NamedTuple

from filterd.upstream.upstream import Upstream


class What(enum.IntEnum):
    """Why an exchange is handed over (the numbers are those of listen/native/forward.h)."""

    ODD = 0
    SILENT = 1
    LIED = 2
    REFUSED = 3
    WANTED = 4


class Lead(NamedTuple):
    """An upstream that is asked first; `patience` in seconds until another one is."""

    upstream: Upstream
    address: tuple[str, int]
    patience: float


class Handover(NamedTuple):
    """One datagram is under way: `query`, sent at `begun` (loop time) to `upstream` and to
    `others` more at the same time, whose replies are not waited for."""

    upstream: Upstream
    query: bytes
    begun: float
    others: int
    lied: bool


Heard = Callable[[What, bytes | None, int], None]
"""Told what came for an exchange that was handed over: (what, datagram, errno)."""
