"""Messages that break the rules, generated from a seed: lying lengths, loops, counts, garbage."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator

from tests.lab.packets import Opt, query

Mutation = Callable[[random.Random, bytearray], bytearray]


def _flip(chance: random.Random, wire: bytearray) -> bytearray:
    for _ in range(chance.randint(1, 6)):
        wire[chance.randrange(len(wire))] ^= 1 << chance.randrange(8)
    return wire


def _cut(chance: random.Random, wire: bytearray) -> bytearray:
    return wire[: chance.randrange(len(wire))]


def _counts(chance: random.Random, wire: bytearray) -> bytearray:
    at = chance.choice((4, 6, 8, 10))
    wire[at : at + 2] = struct.pack("!H", chance.choice((0, 1, 2, 255, 65_535)))
    return wire


def _pointer(chance: random.Random, wire: bytearray) -> bytearray:
    """A pointer somewhere: to itself, forwards, backwards, behind the end."""
    at = chance.randrange(12, max(13, len(wire) - 1))
    target = chance.choice((at, at + 1, 12, 0, len(wire) + 5, 0x3FFF))
    wire[at : at + 2] = struct.pack("!H", 0xC000 | target & 0x3FFF)
    return wire


def _label(chance: random.Random, wire: bytearray) -> bytearray:
    wire[12] = chance.choice((0x40, 0x80, 0x3F, 0xBF, 0))
    return wire


def _lengths(chance: random.Random, wire: bytearray) -> bytearray:
    """The last two octets before some data: an RDLENGTH or an option's length that lies."""
    at = chance.randrange(12, max(13, len(wire) - 2))
    wire[at : at + 2] = struct.pack("!H", chance.choice((0, 1, 3, 255, 4096, 65_535)))
    return wire


def _behind(chance: random.Random, wire: bytearray) -> bytearray:
    return wire + chance.randbytes(chance.randint(1, 40))


def _noise(chance: random.Random, wire: bytearray) -> bytearray:
    return bytearray(wire[:2] + chance.randbytes(chance.randint(0, 600)))


MUTATIONS: tuple[Mutation, ...] = (
    _flip, _cut, _counts, _pointer, _label, _lengths, _behind, _noise,
)  # fmt: skip


def _record(owner: bytes, rtype: int, rdata: bytes) -> bytes:
    return owner + struct.pack("!HHIH", rtype, 1, 60, len(rdata)) + rdata


def _base(chance: random.Random, answers: bool) -> bytearray:
    options = tuple((chance.choice((3, 8, 10, 11, 12, 15, 65_001)), chance.randbytes(8))
                    for _ in range(chance.randint(0, 3)))  # fmt: skip
    opt = chance.choice((None, Opt(options=options)))
    kind = chance.choice((1, 28, 16, 65, 6, 255, 46))
    wire = bytearray(query(f"m{chance.randrange(10**6)}.example", kind, opt=opt,
                           ident=chance.randrange(65_536)))  # fmt: skip
    if not answers:
        return wire
    end = wire.index(b"\0", 12) + 5
    records = [
        _record(b"\xc0\x0c", 1, b"\xc0\0\2\1"), _record(b"\xc0\x0c", 5, b"\xc0\x0c"),
        _record(b"\xc0\x0c", 16, b"\x04text"),
        _record(b"\xc0\x0c", 65, b"\0\1\0\0\4\0\4\xc0\0\2\1"),
        _record(b"\xc0\x0c", 46, b"\0\1\x08\2" + bytes(12) + b"\0\1\0" + bytes(32)),
    ]  # fmt: skip
    chosen = chance.sample(records, chance.randint(1, len(records)))
    wire[2:4] = b"\x81\x80"
    wire[6:8] = struct.pack("!H", len(chosen))
    return wire[:end] + b"".join(chosen) + wire[end:]


def messages(seed: int, count: int, *, replies: bool = False) -> Iterator[bytes]:
    """So many messages, the same for the same seed; `replies`: with answers and QR."""
    chance = random.Random(seed)
    for number in range(count):
        wire = _base(chance, replies)
        for _ in range(chance.randint(1, 3)):
            wire = MUTATIONS[number % len(MUTATIONS)](chance, wire)
            number = chance.randrange(len(MUTATIONS))
            if len(wire) < 14:
                break
        yield bytes(wire)
