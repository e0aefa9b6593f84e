"""Writes OPT records and their options; server cookies of RFC 9018.

Pure: time and secrets are arguments.
"""

from __future__ import annotations

import struct

from filterd.wire import constants as c

_OPT = struct.Struct("!BHHBBHH")
_OPTION = struct.Struct("!HH")
_MASK = 0xFFFFFFFFFFFFFFFF


def opt(options: bytes = b"", do: bool = False, rcode: int = 0) -> bytes:
    """An OPT record, version 0; `rcode` is the whole rcode, of which OPT holds the upper bits."""
    flags = c.DO if do else 0
    return _OPT.pack(0, c.OPT, c.UDP_SIZE, rcode >> 4, 0, flags, len(options)) + options


def option(code: int, value: bytes) -> bytes:
    """One EDNS option (RFC 6891 §6.1.2)."""
    return _OPTION.pack(code, len(value)) + value


def ede(code: int, text: str = "") -> bytes:
    """An extended DNS error (RFC 8914 §2); the text is cut to 96 octets at a character."""
    extra = text.encode("utf-8")[:96].decode("utf-8", "ignore").encode("utf-8")
    return option(c.OPTION_EDE, code.to_bytes(2, "big") + extra)


def server_cookie(client: bytes, address: bytes, secret: bytes, at: int) -> bytes:
    """The 16 octets that follow the client's 8 in a COOKIE (RFC 9018 §4): version 1, SipHash-2-4.

    `address` is the client's packed address, `secret` 16 octets, `at` Unix seconds.
    """
    head = b"\1\0\0\0" + (at & 0xFFFFFFFF).to_bytes(4, "big")
    return head + siphash24(secret, client + head + address)


def siphash24(key: bytes, message: bytes) -> bytes:
    """SipHash-2-4 (Aumasson, Bernstein 2012) of `message` under a 16-octet key, little-endian."""
    k0 = int.from_bytes(key[:8], "little")
    k1 = int.from_bytes(key[8:], "little")
    state = (
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    )
    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) & 0xFF])
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start : start + 8], "little")
        v0, v1, v2, v3 = state
        v0, v1, v2, v3 = _rounds(v0, v1, v2, v3 ^ word, 2)
        state = (v0 ^ word, v1, v2, v3)
    v0, v1, v2, v3 = state
    v0, v1, v2, v3 = _rounds(v0, v1, v2 ^ 0xFF, v3, 4)
    return (v0 ^ v1 ^ v2 ^ v3).to_bytes(8, "little")


def _rounds(v0: int, v1: int, v2: int, v3: int, times: int) -> tuple[int, int, int, int]:
    for _ in range(times):
        v0 = v0 + v1 & _MASK
        v1 = (v1 << 13 | v1 >> 51) & _MASK ^ v0
        v0 = (v0 << 32 | v0 >> 32) & _MASK
        v2 = v2 + v3 & _MASK
        v3 = (v3 << 16 | v3 >> 48) & _MASK ^ v2
        v0 = v0 + v3 & _MASK
        v3 = (v3 << 21 | v3 >> 43) & _MASK ^ v0
        v2 = v2 + v1 & _MASK
        v1 = (v1 << 17 | v1 >> 47) & _MASK ^ v2
        v2 = (v2 << 32 | v2 >> 32) & _MASK
    return v0, v1, v2, v3
