"""Addresses that a worker answered with, on their way to whoever measures paths.

Gathered while answering, sent once a second as datagrams; nobody there, or nobody quick enough:
they are dropped. No name and no client goes with them.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

SOCKET = "answered.sock"
_ENTRY = struct.Struct("!16sI")
_PER_DATAGRAM = 1500
_MOST = 20_000
DATAGRAM_BYTES = _PER_DATAGRAM * _ENTRY.size


class Answered:
    """What was answered since the last `send`."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._lifetimes: dict[bytes, int] = {}
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._link.setblocking(False)

    @classmethod
    def wanted(cls, settings: Mapping[str, Any]) -> Answered | None:
        """Where a worker's settings say that paths are measured; else None."""
        if not settings.get("measure_paths"):
            return None
        return cls(Path(settings["state_dir"]) / "run" / SOCKET)

    def note(self, addresses: Iterable[bytes], seconds: int) -> None:
        """These addresses (packed, 4 or 16 octets) may be used for so long."""
        lifetimes = self._lifetimes
        for address in addresses:
            if len(lifetimes) < _MOST and seconds > lifetimes.get(address, -1):
                lifetimes[address] = seconds

    def send(self) -> None:
        """Hand over what was noted."""
        if not self._lifetimes:
            return
        items, self._lifetimes = list(self._lifetimes.items()), {}
        for start in range(0, len(items), _PER_DATAGRAM):
            with contextlib.suppress(OSError):
                self._link.sendto(pack(items[start : start + _PER_DATAGRAM]), self._path)

    def close(self) -> None:
        """No more."""
        self._link.close()


def pack(items: Iterable[tuple[bytes, int]]) -> bytes:
    """Addresses in 16 octets (IPv4 mapped, RFC 4291 §2.5.5.2) with their seconds."""
    mapped = bytes(10) + b"\xff\xff"
    return b"".join(
        _ENTRY.pack(mapped + address if len(address) == 4 else address, seconds)
        for address, seconds in items
    )


def unpack(datagram: bytes) -> Iterator[tuple[str, int]]:
    """Addresses as text with their seconds; a cut entry is left out."""
    whole = len(datagram) - len(datagram) % _ENTRY.size
    for address, seconds in _ENTRY.iter_unpack(datagram[:whole]):
        if address[:12] == bytes(10) + b"\xff\xff":
            yield socket.inet_ntop(socket.AF_INET, address[12:]), seconds
        else:
            yield socket.inet_ntop(socket.AF_INET6, address), seconds
