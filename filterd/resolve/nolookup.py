"""Questions that are no look-ups, answered alike for everyone: versions, classes, transfers.

Knows no policy; what it says holds before any verdict.
"""

from __future__ import annotations

from filterd.metrics import layout
from filterd.resolve.telling import Told
from filterd.wire import constants as c
from filterd.wire import edns
from filterd.wire.query import Query
from filterd.wire.records import EMPTY
from filterd.wire.response import Answer

_NOT_OURS = frozenset({c.MAILA, c.MAILB, c.TKEY, c.TSIG, c.OPT})


def no_lookup(query: Query) -> Told | None:
    """What to say to such a question; None: it is one to look up."""
    if query.edns is not None and query.edns.version:
        return Told(Answer(c.BADVERS), layout.REFUSED)
    if query.qclass != c.IN:
        return refused(c.EDE_OTHER, "only class IN is served")
    if query.qtype in (c.AXFR, c.IXFR):
        return refused(c.EDE_PROHIBITED, "no zone transfers")
    if query.qtype in _NOT_OURS:
        return Told(Answer(c.NOTIMP), layout.REFUSED)
    return None


def refused(code: int, text: str) -> Told:
    """REFUSED with the reason."""
    return Told(Answer(c.REFUSED, EMPTY, edns.ede(code, text)), layout.REFUSED)
