"""Fills a response up to a block, so that its size tells little about it (RFC 7830, RFC 8467).

Pure. `filterd/listen/native/padding.c` does the same.
"""

from __future__ import annotations

from filterd.wire import constants as c
from filterd.wire import edns

BLOCK = 468
"""Block size of responses (RFC 8467 §4.1)."""
_MOST = 65_535
_ROOT_OPT = b"\0\0\x29"


def fill(response: bytes, block: int = BLOCK) -> bytes:
    """The response with a Padding option that brings it to a multiple of `block` octets.

    As it is when its last record is no OPT, when it cannot be read, or when it would not fit.
    """
    at = _last_opt(response)
    added = 4 + -(len(response) + 4) % block
    if at is None or len(response) + added > _MOST:
        return response
    length = (response[at + 9] << 8 | response[at + 10]) + added
    option = edns.option(c.OPTION_PADDING, bytes(added - 4))
    return response[: at + 9] + length.to_bytes(2, "big") + response[at + 11 :] + option


def _last_opt(response: bytes) -> int | None:
    """Where the OPT record begins with which a message of one question ends."""
    size = len(response)
    if size < 12 or response[4:6] != b"\0\1":
        return None
    start, at, records = 0, _name_end(response, 12) + 4, _records(response)
    for _ in range(records):
        start = at
        at = _name_end(response, at) + 10
        if at > size:
            return None
        at += response[at - 2] << 8 | response[at - 1]
    return start if records and at == size and response[start : start + 3] == _ROOT_OPT else None


def _records(response: bytes) -> int:
    return sum(response[at] << 8 | response[at + 1] for at in (6, 8, 10))


def _name_end(octets: bytes, position: int) -> int:
    """Offset behind a name, which may end in a pointer; behind everything when it does not end."""
    while position < len(octets):
        length = octets[position]
        if length >= 0xC0:
            return position + 2
        position += length + 1
        if not length:
            return position
    return len(octets) + 1
