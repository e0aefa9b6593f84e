"""Which addresses may never stand in a public answer: DNS rebinding, on packed octets.

Private, loopback, link-local, unspecified, shared (RFC 6598) and multicast addresses, in IPv4 and
inside every IPv6 form that carries an IPv4 address. Knows no policy.
"""

from __future__ import annotations

_ZERO_10 = b"\0" * 10
_ZERO_12 = b"\0" * 12
_NAT64 = bytes.fromhex("0064ff9b") + b"\0" * 8
_NAT64_LOCAL = bytes.fromhex("0064ff9b0001")
_6TO4 = b"\x20\x02"


def internal(packed: bytes) -> bool:
    """Whether this 4- or 16-octet address belongs inside a network, in whatever disguise.

    Mapped and compatible IPv4 (RFC 4291 section 2.5.5), NAT64 (RFC 6052; all of 64:ff9b:1::/48,
    RFC 8215) and 6to4 (RFC 3056) are unwrapped.
    """
    if len(packed) == 4:
        return _internal4(packed)
    if len(packed) != 16:
        return True
    first = packed[0]
    if first & 0xFE == 0xFC or first == 0xFF:
        return True
    if first == 0xFE and packed[1] >= 0x80:
        return True
    if first == 0:
        return _wrapped(packed)
    return packed[:2] == _6TO4 and _internal4(packed[2:6])


def _wrapped(packed: bytes) -> bool:
    head = packed[:12]
    if head in (_ZERO_12, _ZERO_10 + b"\xff\xff", b"\0" * 8 + b"\xff\xff\0\0", _NAT64):
        return _internal4(packed[12:])
    return packed[:6] == _NAT64_LOCAL


def _internal4(packed: bytes) -> bool:
    first, second = packed[0], packed[1]
    if first in (0, 10, 127) or first >= 224:
        return True
    if first == 172:
        return second & 0xF0 == 16
    if first == 192:
        return second == 168
    if first == 169:
        return second == 254
    return first == 100 and second & 0xC0 == 64
