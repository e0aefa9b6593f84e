"""Lists as they were read, in a file: what keeps an unchanged list from being parsed again.

MAGIC · u64 length and zstd frame of each part: the heads (JSON), then of each list its groups
(keys, lines) and its addresses
"""

from __future__ import annotations

import ipaddress
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import zstandard

from filterd.errors import ListError
from filterd.lists.entry import Address, Network
from filterd.lists.parsed import Group, Parsed, rule_from_json, rule_to_json

MAGIC = b"FDPARSED3\n"
_ADDRESS = struct.Struct("<IB?16s")
_BITS = {4: 32, 6: 128}


def save(found: Mapping[str, Parsed], out: IO[bytes]) -> None:
    """Write the lists of one source by their names in it."""
    packer = zstandard.ZstdCompressor(level=1, write_checksum=True)
    heads = [_head(name, parsed) for name, parsed in found.items()]
    out.write(MAGIC)
    for part in (json.dumps(heads).encode(), *_bodies(found.values())):
        packed = packer.compress(part)
        out.write(struct.pack("<Q", len(packed)) + packed)


def _head(name: str, parsed: Parsed) -> dict[str, Any]:
    return {
        "name": name,
        "groups": [[*place, len(group.lines)] for place, group in parsed.groups.items()],
        "rules": [rule_to_json(rule) for rule in parsed.rules],
        "dropped": parsed.dropped,
        "samples": parsed.samples,
        "lines": parsed.lines,
    }


def _bodies(found: Iterable[Parsed]) -> Iterator[bytes]:
    for parsed in found:
        for group in parsed.groups.values():
            yield group.joined()
            yield group.lines.tobytes()
        yield b"".join(map(_packed, parsed.addresses))


def _packed(found: Address) -> bytes:
    network = found.network
    # IPv6 lengths behind IPv4's: 0 … 32, then 33 + (0 … 128)
    length = network.prefixlen + (33 if network.version == 6 else 0)
    return _ADDRESS.pack(found.line, length, found.exception, network.network_address.packed)


def load(path: Path) -> dict[str, Parsed]:
    """Read the file back; ListError when it is damaged."""
    try:
        raw = path.read_bytes()
        if not raw.startswith(MAGIC):
            raise ListError(f"{path}: not a cache file of this version")
        parts = _parts(memoryview(raw)[len(MAGIC) :])
        return {head["name"]: _list(head, parts) for head in json.loads(next(parts))}
    except (OSError, ValueError, KeyError, StopIteration, struct.error, zstandard.ZstdError) as bad:
        raise ListError(f"{path}: damaged cache file: {bad}") from None


def _list(head: Mapping[str, Any], parts: Iterator[bytes]) -> Parsed:
    parsed = Parsed(lines=head["lines"], samples=head["samples"])
    parsed.dropped.update(head["dropped"])
    parsed.rules = [rule_from_json(rule) for rule in head["rules"]]
    for flags, half, count in head["groups"]:
        group = parsed.groups[flags, half] = Group([next(parts)])
        group.lines.frombytes(next(parts))
        if len(group.lines) != count:
            raise ValueError(f"{len(group.lines)} lines for {count} names")
    parsed.addresses = [
        Address(line, _network(length, packed), exception)
        for line, length, exception, packed in _ADDRESS.iter_unpack(next(parts))
    ]
    return parsed


def _network(length: int, packed: bytes) -> Network:
    if length <= _BITS[4]:
        return ipaddress.IPv4Network((packed[:4], length))
    return ipaddress.IPv6Network((packed, length - 33))


def _parts(raw: memoryview) -> Iterator[bytes]:
    unpacker = zstandard.ZstdDecompressor()
    while raw:
        (size,) = struct.unpack_from("<Q", raw)
        yield unpacker.decompress(raw[8 : 8 + size])
        raw = raw[8 + size :]
