"""What is asked of an upstream and what comes back: the values that `resolve` and the pool share.

Knows no transport and no upstream; a reply in here has already been checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from filterd.errors import UpstreamError
from filterd.wire.records import Message


class UpstreamQuestion(NamedTuple):
    """One question as it is sent; `name_wire` is the uncompressed name in lower case.

    `do` and `cd` are the bits of RFC 3225 and RFC 4035 §3.2.2. Nothing else of a client's
    query (its options, subnet, cookie, case or id) ever reaches an upstream.
    """

    name_wire: bytes
    qtype: int
    qclass: int = 1
    do: bool = False
    cd: bool = False


class UpstreamReply(NamedTuple):
    """A reply that parses to its end and answers the question; its OPT is still inside.

    `upstream` names who gave it (bounded: as configured), `transport` is udp, tcp, dot or doh.
    `zone` is the wire form of the conditional zone whose upstream answered, else None: records
    outside of it have already been taken away. `message` is `wire` as it was walked, None when
    it was not; the letter case of a question that was asked with mixed case is lower again.
    """

    wire: bytes
    upstream: str
    transport: str
    zone: bytes | None = None
    message: Message | None = None


Told = Callable[[UpstreamReply | UpstreamError], None]
"""Who asked, to be told once."""
