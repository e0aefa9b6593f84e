"""What may be fed with anything: each takes octets and may raise nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from filterd.errors import WireError
from filterd.resolve.answers import Clamp, normalise
from filterd.upstream.scan import inspect
from filterd.wire.names import from_wire, to_wire
from filterd.wire.query import parse_query
from filterd.wire.records import parse_reply


def query(octets: bytes) -> None:
    """A client's message; the name of one that is read survives the way to text and back."""
    with contextlib.suppress(WireError):
        found = parse_query(octets)
        assert to_wire(from_wire(found.name_wire)) == found.name_wire


def reply(octets: bytes) -> None:
    """An upstream's message, walked and normalised."""
    with contextlib.suppress(WireError):
        message = parse_reply(octets)
        normalise(message, message.question.lower(), 0.0, Clamp())


def scan(octets: bytes) -> None:
    """The first look at what a socket received; None is its way to refuse."""
    inspect(octets)


TARGETS: dict[str, Callable[[bytes], None]] = {"query": query, "reply": reply, "scan": scan}
