"""SVCB data: what is read, and where reading stops."""

from __future__ import annotations

import struct

import pytest

from filterd.errors import WireError
from filterd.wire import svcb


def parameters(count: int) -> bytes:
    return b"\0\1\0" + b"".join(struct.pack("!HH", 7 + number, 0) for number in range(count))


def test_as_many_parameters_as_anybody_needs_and_no_more() -> None:
    assert len(svcb.parse(parameters(64)).params) == 64
    with pytest.raises(WireError):
        svcb.parse(parameters(65))


def test_hints_are_addresses() -> None:
    hint = struct.pack("!HH", 4, 8) + bytes([192, 0, 2, 1, 192, 0, 2, 2])
    found = svcb.parse(b"\0\1\0" + hint)
    assert found.addresses() == (bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
    with pytest.raises(WireError):
        svcb.parse(b"\0\1\0" + struct.pack("!HH", 4, 3) + b"xyz")
