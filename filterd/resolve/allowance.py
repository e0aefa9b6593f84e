"""How many responses an address and its network may get over UDP, and what is said beyond that.

The address's share keeps one client from taking what the others need. The network's (a /24, a
/56) is against forged sources: it holds for whoever has not proven with a cookie that the
address is its own (RFC 7873 §5.2.5). Over TCP nothing is limited here: that cannot be forged.
"""

from __future__ import annotations

from collections import OrderedDict

from filterd.metrics import layout
from filterd.metrics.counters import Counters
from filterd.resolve.cookies import Cookies
from filterd.resolve.source import Bucket, Limits, Source
from filterd.wire import constants as c
from filterd.wire.query import Query
from filterd.wire.response import Answer, assemble

MAX_NETWORKS = 4096
NETWORK_SHARE = 4
"""A network may get what so many of its addresses may: three who flood leave something over."""
_RATE = layout.single_place("dropped_rate")
_TRUNCATED = layout.single_place("truncated")


class Allowance:
    """The limits of everyone who asks over UDP."""

    def __init__(self, limits: Limits, cookies: Cookies, counters: Counters) -> None:
        self._rate = limits.rate * NETWORK_SHARE
        self._burst = limits.burst * NETWORK_SHARE
        self._cookies = cookies
        self._counters = counters
        self._networks: OrderedDict[bytes, Bucket] = OrderedDict()

    def spent(self, query: Query, source: Source, now: float) -> bool:
        """Whether nothing is left for this one; takes what it needs otherwise."""
        if source.free:
            return False
        if not source.spend(now):
            return True
        if query.edns is not None and self._cookies.proven(source, query.edns.cookie):
            return False
        network = self._networks.setdefault(source.network, Bucket())
        if len(self._networks) > MAX_NETWORKS:
            self._networks.popitem(last=False)
        return not network.spend(self._rate, self._burst, now)

    def slip(self, wire: bytes, query: Query, source: Source) -> bytes | None:
        """Every other query is told how to come back: by TCP, or with the cookie that it gets
        here when it sent one without proof (BADCOOKIE, RFC 7873 §5.2.3). Neither can be forged."""
        self._counters.add(_RATE)
        if self._counters.values[_RATE] & 1:
            return None
        sent = query.edns.cookie if query.edns is not None else b""
        if sent and not self._cookies.proven(source, sent):
            answer = Answer(c.BADCOOKIE, options=self._cookies.option(source, sent))
            parts = assemble(query, answer, False)
            return wire[:2] + parts.head + query.question + parts.tail
        return wire[:2] + _truncated(query)

    def whole(self, query: Query, source: Source, response: bytes, now: float) -> bytes:
        """A response that was waited for; truncated when its address just got very much.

        Who forges the address of a victim can hold back questions and have all answers fall on it
        at once (DNSBomb, CVE-2024-33655). Truncated ones are no larger than the questions were,
        and who really asked comes by TCP.
        """
        if source.release(len(response), now):
            return response
        if query.edns is not None and self._cookies.proven(source, query.edns.cookie):
            return response
        self._counters.add(_TRUNCATED)
        return response[:2] + _truncated(query)


def _truncated(query: Query) -> bytes:
    """Without its id: come by TCP."""
    parts = assemble(query, Answer(c.NOERROR), False)
    cut = bytes([parts.head[0] | c.TC >> 8]) + parts.head[1:]
    return cut + query.question + parts.tail
