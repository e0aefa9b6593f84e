"""Which queries the memo may answer (the plainest form only), and which are no queries at all."""

from __future__ import annotations

import struct

from filterd.errors import WireError
from filterd.wire import constants as c
from filterd.wire.query import parse_query
from filterd.wire.response import refuse

WITH_OPT, WITH_DO, WITH_CD, WITH_AD = 1, 2, 4, 8
"""Variants of a response: what of the query besides its question shows in it."""
_PLAIN_SIZE, _EDNS_SIZE = 512, 1232


def plain_form(query: bytes) -> tuple[int, bytes, int, bool] | None:
    """(variant, lower-case question, room for the response, whether it asks for padding) of a query
    in its plainest form.

    One question, RD and at most CD and AD set, no record but an OPT, no option but one Padding.
    """
    if len(query) < 17 or query[2] != 1 or query[4:11] != b"\0\1\0\0\0\0\0":
        return None
    end = _question_end(query)
    if end is None:
        return None
    question = query[12 : end - 4].lower() + query[end - 4 : end]
    variant = (WITH_CD if query[3] & 0x10 else 0) | (WITH_AD if query[3] & 0x20 else 0)
    if query[11] == 0:
        return (variant, question, _PLAIN_SIZE, False) if end == len(query) else None
    opt = query[end:]
    if query[11] != 1 or len(opt) < 11 or opt[:3] != b"\0\0\x29":
        return None
    options = opt[11:]
    if opt[6] or opt[9:11] != len(options).to_bytes(2, "big"):
        return None
    if options and not _is_padding(options):
        return None
    room = min(max(int.from_bytes(opt[3:5], "big"), _PLAIN_SIZE), _EDNS_SIZE)
    variant |= WITH_OPT | (WITH_DO if opt[7] & 0x80 else 0)
    return variant, question, room, bool(options)


def _is_padding(options: bytes) -> bool:
    return len(options) >= 4 and options[:4] == struct.pack(
        "!HH", c.OPTION_PADDING, len(options) - 4
    )


def _question_end(query: bytes) -> int | None:
    at = 12
    while at < len(query) and query[at]:
        if query[at] > 63 or at + query[at] + 1 - 12 > 254:
            return None
        at += query[at] + 1
    return at + 5 if at + 5 <= len(query) else None


def refusal(octets: bytes) -> bytes | None:
    """The answer to what cannot be read, empty when it gets none; None: it can be read."""
    try:
        parse_query(octets)
    except WireError as error:
        return b"" if error.rcode is None else refuse(octets, error.rcode)
    return None
