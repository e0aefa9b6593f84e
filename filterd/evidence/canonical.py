"""One byte string for one record: the form that is hashed, signed and compared.

Knows no record's meaning. Integers only, because two machines print a float differently.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

_WRITER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def _no_float(text: str) -> object:
    raise ValueError(f"{text} is not a whole number")


_STRICT = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float)

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]


def canonical(record: object) -> bytes:
    """UTF-8 JSON: keys sorted by code point, no spaces, NFC untouched; TypeError on a float.

    A subset of RFC 8785 (which also sorts by UTF-16 units and allows floats; keys here are ASCII).
    """
    _refuse_floats(record)
    return _WRITER.encode(record).encode("utf-8")


def parsed(body: bytes) -> object:
    """The value that these canonical bytes stand for; ValueError for anything `canonical` would
    have written differently, so that one record has one digest."""
    record = _STRICT.decode(body.decode("utf-8"))
    if not body.isascii():
        _refuse_floats(record)  # keys; floats are refused by the decoder
    again = _WRITER.encode(record).encode("utf-8")
    if again != body:
        raise ValueError("not in canonical form")
    return record


def digest(body: bytes) -> str:
    """SHA-256 in hexadecimal; the `previous` of the next record and the digest in the QR."""
    return hashlib.sha256(body).hexdigest()


def _refuse_floats(node: object) -> None:
    if isinstance(node, float):
        raise TypeError("a signed record holds no float: use seconds, counts or basis points")
    if isinstance(node, Mapping):
        for key, child in node.items():
            if not isinstance(key, str) or not key.isascii():
                raise TypeError(f"keys of a signed record are ASCII text: {key!r}")
            _refuse_floats(child)
    elif isinstance(node, (list, tuple)):
        for child in node:
            _refuse_floats(child)
