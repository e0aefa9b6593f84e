"""Queries built octet by octet, and the two ways to send them: nothing is made legal on the way."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

RD, TC, AA, RA, Z, AD, CD = 0x0100, 0x0200, 0x0400, 0x0080, 0x0040, 0x0020, 0x0010
DO = 0x8000
SOURCE = "127.0.14.1"
"""A source that the shipped policies take for staff: nothing of a laboratory's is filtered."""


@dataclass(frozen=True, slots=True)
class Opt:
    """An OPT record as sent; `options` are (code, data)."""

    size: int = 1232
    version: int = 0
    flags: int = 0
    options: tuple[tuple[int, bytes], ...] = ()

    def wire(self) -> bytes:
        data = b"".join(
            struct.pack("!HH", code, len(value)) + value for code, value in self.options
        )
        fixed = struct.pack("!HHBBHH", 41, self.size, 0, self.version, self.flags, len(data))
        return b"\0" + fixed + data


def name_wire(name: str) -> bytes:
    """An ASCII name in wire form; its labels may hold no dot."""
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def query(
    name: str,
    qtype: int = 1,
    flags: int = RD,
    opt: Opt | None = None,
    *,
    ident: int = 0x4C41,
    opcode: int = 0,
    qclass: int = 1,
) -> bytes:
    """One question with these header bits."""
    head = struct.pack("!6H", ident, flags | opcode << 11, 1, 0, 0, int(opt is not None))
    question = name_wire(name) + struct.pack("!HH", qtype, qclass)
    return head + question + (opt.wire() if opt is not None else b"")


def udp_ask(port: int, wire: bytes, seconds: float = 2.0, source: str = SOURCE) -> bytes | None:
    """The first datagram that comes back; None: none came, or the port refused."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.settimeout(seconds)
        sock.connect(("127.0.0.1", port))
        try:
            sock.send(wire)
            return sock.recv(65_535)
        except OSError:
            return None


def tcp_ask(port: int, wire: bytes, seconds: float = 3.0, source: str = SOURCE) -> bytes | None:
    """The first framed message that comes back over a connection of its own."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((source, 0))
        sock.settimeout(seconds)
        sock.connect(("127.0.0.1", port))
        sock.sendall(struct.pack("!H", len(wire)) + wire)
        return read_frame(sock)
    return None


def read_frame(sock: socket.socket) -> bytes | None:
    """One framed message; None when the connection ends before it is whole."""
    length = _exactly(sock, 2)
    return _exactly(sock, struct.unpack("!H", length)[0]) if length is not None else None


def _exactly(sock: socket.socket, count: int) -> bytes | None:
    found = b""
    while len(found) < count:
        piece = sock.recv(count - len(found))
        if not piece:
            return None
        found += piece
    return found


def frames(wires: Iterable[bytes]) -> bytes:
    """Messages as a pipeline over TCP."""
    return b"".join(struct.pack("!H", len(wire)) + wire for wire in wires)
