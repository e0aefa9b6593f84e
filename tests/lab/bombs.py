"""Messages that are legal in size and hostile in shape: generated, never stored.

Each is built to make a reader do much work for few octets (reliability appendix B).
"""

from __future__ import annotations

import struct

QUESTION = b"\x03www\x07example\0\0\1\0\1"


def header(questions: int = 1, answers: int = 0, additional: int = 0, flags: int = 0x8180) -> bytes:
    """A header with these counts."""
    return struct.pack("!6H", 1, flags, questions, answers, 0, additional)


def _record(owner: bytes, rtype: int, rdata: bytes) -> bytes:
    return owner + struct.pack("!HHIH", rtype, 1, 60, len(rdata)) + rdata


def _chained_pointers() -> bytes:
    """TXT data that is nothing but pointers, each to the one before; then a name through all."""
    start = 12 + len(QUESTION) + 12
    pointers = b"\xc0\x0c"
    for number in range(1, 3950):
        pointers += struct.pack("!H", 0xC000 | start + 2 * (number - 1))
    last = struct.pack("!H", 0xC000 | start + 2 * 3949)
    return (
        header(1, 400)
        + QUESTION
        + _record(b"\xc0\x0c", 16, pointers)
        + (399 * _record(last, 1, bytes(4)))
    )


def _signed(keys: int, signatures: int) -> bytes:
    """As many keys as signatures to try them on (KeyTrap, CVE-2023-50387), for a validator."""
    key = b"\1\1\3\x08" + bytes(range(32))
    signature = b"\0\x30\x08\2" + bytes(14) + QUESTION[:-4] + bytes(range(32))
    return (
        header(1, keys + signatures)
        + QUESTION[:-4]
        + b"\0\x30\0\1"
        + keys * _record(b"\xc0\x0c", 48, key)
        + signatures * _record(b"\xc0\x0c", 46, signature)
    )


def bombs() -> dict[str, bytes]:
    """Every bomb by what it is made of."""
    long_name = b"\1a" * 126 + b"\0"
    long_question = long_name + b"\0\1\0\1"
    alias = _record(b"\xc0\x0c", 2, b"\xc0\x0c")
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 4 * 15_900) + b"\xff\xfe\0\0" * 15_900
    addresses = b"".join(
        _record(b"\xc0\x0c", 1, struct.pack("!I", number)) for number in range(4000)
    )
    texts = 3 * _record(b"\xc0\x0c", 16, bytes(20_000))
    service = (
        struct.pack("!H", 1)
        + b"\0"
        + b"".join(struct.pack("!HH", key, 0) for key in range(7, 15_897))
    )
    half = header(1, 511) + long_question
    return {
        "A: 4,661 owners of 127 labels": header(1, 4661) + long_question + alias * 4661,
        "A': 511 owners of 127 labels": half + alias * 511,
        "A'': 511 owners of 127 labels, each spelled out": half
        + b"".join(_record(b"\1" + bytes([n % 251]) + long_name[2:], 1, bytes(4))
                   for n in range(240)),
        "B: 3,950 chained pointers": _chained_pointers(),
        "C: 15,900 EDNS options": header(1, 0, 1) + QUESTION + opt,
        "D: 4,000 addresses": header(1, 4000) + QUESTION + addresses,
        "D': 512 addresses": header(1, 512) + QUESTION + addresses[: 512 * 16],
        "E: 60,000 empty strings": header(1, 3) + QUESTION + texts,
        "F: 13,000 questions": header(13_000) + b"\0\0\1\0\1" * 13_000,
        "G: 15,890 service parameters": header(1, 1) + QUESTION[:-4] + b"\0\x41\0\1"
        + _record(b"\xc0\x0c", 65, service),
        "H: 500 keys, 500 signatures": _signed(500, 500),
        "H': 255 keys, 250 signatures": _signed(255, 250),
    }  # fmt: skip


def as_queries() -> dict[str, bytes]:
    """The same octets sent by a client (QR cleared)."""
    return {name: wire[:2] + b"\1\0" + wire[4:] for name, wire in bombs().items()}
