"""The specification of the drain loop, in plain Python; contract in `drain`."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from typing import Any

from filterd.listen.drain_form import refusal
from filterd.listen.memo_python import DATAGRAM, PythonMemo

BATCH = 64
CONTROL = 64
_MAPPED = b"\0" * 10 + b"\xff\xff"

Control = list[tuple[int, int, bytes]]
Peer = tuple[Any, ...]


class PythonDrain:
    """The drain loop's specification, on the socket module."""

    def __init__(self, fd: int, memo: PythonMemo, refusals: tuple[int, int] | None = None) -> None:
        self._socket = socket.socket(fileno=fd)
        self._memo = memo
        self._refusals = refusals

    def __del__(self) -> None:
        self._socket.detach()

    def fileno(self) -> int:
        return self._socket.fileno()

    def run(self, batches: int, /) -> list[tuple[bytes, bytes, bytes]]:
        waiting: list[tuple[bytes, bytes, bytes]] = []
        for _ in range(batches * BATCH):
            try:
                query, control, flags, peer = self._socket.recvmsg(DATAGRAM, CONTROL)
            except OSError:
                break
            if flags & socket.MSG_TRUNC:
                continue
            source = _packed(peer)
            reply = self._memo.answer(query, source, time.monotonic_ns() // 1_000_000)
            if reply is None and self._refusals is not None:
                reply = self._refusal(query, *self._refusals)
            if reply is None:
                waiting.append((query, source, _token(source, peer, control)))
            elif reply:
                self._send(peer, control, reply)
        return waiting

    def _refusal(self, query: bytes, silent_at: int, rcodes_at: int) -> bytes | None:
        reply = refusal(query)
        if reply is not None:
            self._memo.count(rcodes_at + (reply[3] & 15) if reply else silent_at)
        return reply

    def send(self, token: bytes, reply: bytes, /) -> bool:
        return self._send(*_read_token(token), reply)

    def _send(self, peer: Peer, control: Control, reply: bytes) -> bool:
        with contextlib.suppress(OSError):
            self._socket.sendmsg([reply], control, 0, peer)
            return True
        return False


def _packed(peer: Peer) -> bytes:
    """The 16-octet form (IPv4 mapped) of a socket address."""
    host = str(peer[0]).partition("%")[0]
    if len(peer) == 2:
        return _MAPPED + socket.inet_aton(host)
    return socket.inet_pton(socket.AF_INET6, host)


_TOKEN = struct.Struct("!B16sHII")
_PART = struct.Struct("!iiH")


def _token(source: bytes, peer: Peer, control: Control) -> bytes:
    scope = peer[2:4] if len(peer) == 4 else (0, 0)
    token = _TOKEN.pack(len(peer), source, peer[1], *scope)
    return token + b"".join(_PART.pack(*part[:2], len(part[2])) + part[2] for part in control)


def _read_token(token: bytes) -> tuple[Peer, Control]:
    size, source, port, flow, scope = _TOKEN.unpack_from(token)
    control: Control = []
    at = _TOKEN.size
    while at < len(token):
        level, kind, length = _PART.unpack_from(token, at)
        at += _PART.size
        control.append((level, kind, token[at : at + length]))
        at += length
    if size == 2:
        return (socket.inet_ntoa(source[12:]), port), control
    return (socket.inet_ntop(socket.AF_INET6, source), port, flow, scope), control
