"""DHCP offers as they come from a network: real ones, cut ones, rubbish."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from filterd.gateway.dhcp_probe import Offer, discover, offer

MAC = b"\x06\x01\x02\x03\x04\x05"


def reply(*options: bytes, number: int = 7) -> bytes:
    asked = bytearray(discover(number, MAC)[:240])
    asked[0] = 2
    return bytes(asked) + b"".join(options) + b"\xff"


def option(code: int, value: bytes) -> bytes:
    return struct.pack("!BB", code, len(value)) + value


KIND, SERVER = option(53, b"\x02"), option(54, bytes((10, 0, 10, 1)))


def test_the_resolvers_of_an_offer() -> None:
    both = option(6, bytes((10, 0, 10, 1, 8, 8, 8, 8)))
    assert offer(reply(KIND, SERVER, both), 7) == Offer("10.0.10.1", ("10.0.10.1", "8.8.8.8"))
    parts = (option(6, bytes((10, 0))), b"\0\0", option(6, bytes((10, 1))))
    assert offer(reply(KIND, SERVER, *parts), 7) == Offer("10.0.10.1", ("10.0.10.1",))
    assert offer(reply(KIND), 7) == Offer("?", ())


def test_what_is_no_offer_to_us_is_nothing() -> None:
    assert offer(reply(KIND, SERVER), 8) is None
    assert offer(reply(option(53, b"\x05"), SERVER), 7) is None
    assert offer(discover(7, MAC), 7) is None


@given(st.binary(max_size=400), st.booleans())
def test_no_datagram_breaks_it(rubbish: bytes, headed: bool) -> None:
    found = offer(reply(rubbish) if headed else rubbish, 7)
    assert found is None or isinstance(found, Offer)
