"""The specification of the drain loop and its memo, in plain Python; contract in `drain`."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from filterd.listen.drain_form import plain_form, refusal
from filterd.resolve.source import network_of

TTLS = 24
NO_TALLY = 255
BATCH = 64
DATAGRAM = 4096
CONTROL = 64
NETWORKS = 4096
NETWORK_SHARE = 4
_MAPPED = b"\0" * 10 + b"\xff\xff"


@dataclass(slots=True)
class _Entry:
    reply: bytes
    ttls: tuple[int, ...]
    counts: tuple[int, ...]
    stored_ms: int
    until_ms: int
    tally: int
    hits: int = 0
    tags: int = 0


@dataclass(slots=True)
class _Allowance:
    tokens: float = 0.0
    filled_ms: int = 0

    def spend(self, rate: float, burst: float, now_ms: int) -> bool:
        gained = (now_ms - self.filled_ms) * rate / 1000 if self.filled_ms else burst
        self.tokens = min(burst, self.tokens + gained)
        self.filled_ms = now_ms
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(slots=True)
class _Source:
    rules: int
    tag: int
    rate: float
    burst: float
    network: _Allowance
    own: _Allowance = field(default_factory=_Allowance)
    tallies: dict[int, int] = field(default_factory=dict)

    def spend(self, now_ms: int) -> bool:
        if self.rate <= 0:
            return True
        return self.own.spend(self.rate, self.burst, now_ms) and self.network.spend(
            NETWORK_SHARE * self.rate, NETWORK_SHARE * self.burst, now_ms
        )


class PythonMemo:
    """The memo's specification."""

    def __init__(self, counters: memoryview | bytearray, limit_bytes: int) -> None:
        self._counters = memoryview(counters).cast("B").cast("Q")
        self._limit_bytes = limit_bytes
        self._entries: OrderedDict[tuple[int, int, bytes], _Entry] = OrderedDict()
        self._bytes = 0
        self._harvesting = False
        self._sources: dict[bytes, _Source] = {}
        self._networks: OrderedDict[bytes, _Allowance] = OrderedDict()

    @property
    def weight(self) -> tuple[int, int]:
        return len(self._entries), self._bytes

    def put(
        self,
        rules: int,
        variant: int,
        question: bytes,
        reply: bytes,
        ttls: tuple[int, ...],
        counts: tuple[int, ...],
        stored_ms: int,
        until_ms: int,
        tally: int,
        /,
    ) -> bool:
        if len(ttls) > TTLS:
            raise ValueError("too many numbers for a memo entry")
        if len(reply) < 12 + len(question) or len(reply) > DATAGRAM:
            return False
        key = (rules, variant, question)
        entry = _Entry(reply, ttls, counts, stored_ms, until_ms, tally)
        if (old := self._entries.pop(key, None)) is not None:
            entry.hits, entry.tags = old.hits, old.tags
            self._bytes -= _size(key, old)
        self._bytes += _size(key, entry)
        while self._bytes > self._limit_bytes and self._entries:
            self._bytes -= _size(*self._entries.popitem(last=False))
        self._entries[key] = entry
        return True

    def place(self, source: bytes, rules: int, tag: int, rate: float, burst: float, /) -> None:
        if len(source) != 16:
            raise ValueError("an address is 16 octets, IPv4 mapped")
        network = self._networks.setdefault(network_of(source), _Allowance())
        if len(self._networks) > NETWORKS:
            self._networks.popitem(last=False)
        self._sources[source] = _Source(rules, tag, rate, burst, network)

    def flush(self) -> None:
        self._entries.clear()
        self._bytes = 0

    def forget_sources(self) -> None:
        self._sources.clear()

    def harvest(self) -> list[tuple[int, bytes, int, int]]:
        found = []
        for (rules, _variant, question), entry in self._entries.items():
            if entry.hits:
                found.append((rules, question, entry.hits, entry.tags))
                entry.hits = entry.tags = 0
        return found

    def harvest_some(self) -> list[tuple[int, bytes, int, int]] | None:
        self._harvesting = not self._harvesting
        return self.harvest() if self._harvesting else None

    def harvest_sources(self) -> list[tuple[bytes, int, int, int]]:
        found = []
        for address, source in self._sources.items():
            found += [(address, source.rules, tally, n) for tally, n in source.tallies.items()]
            source.tallies.clear()
        return found

    def repeat(self, query: bytes, source: bytes, transport: int, /) -> bytes | None:
        if len(source) != 16 or not 0 <= transport < 4:
            raise ValueError("no such source or transport")
        return self.answer(query, source, time.monotonic_ns() // 1_000_000, transport)

    def answer(self, query: bytes, address: bytes, now_ms: int, transport: int = 0) -> bytes | None:
        """The response to a plain query of a known source, or None: the handler's to answer."""
        source = self._sources.get(address)
        form = plain_form(query) if source is not None else None
        if source is None or form is None:
            return None
        variant, question, room = form
        key = (source.rules, variant | transport << 4, question)
        entry = self._entries.get(key)
        if entry is None or entry.until_ms <= now_ms:
            return None
        if not transport and (len(entry.reply) > room or not source.spend(now_ms)):
            return None
        self._entries.move_to_end(key)
        self._count(entry, source)
        return _patched(entry, query, len(question), (now_ms - entry.stored_ms) // 1000)

    def count(self, place: int) -> None:
        """Add one to a counter."""
        self._counters[place] += 1

    def _count(self, entry: _Entry, source: _Source) -> None:
        for index in entry.counts:
            self._counters[index] += 1
        if entry.tally != NO_TALLY:
            source.tallies[entry.tally] = source.tallies.get(entry.tally, 0) + 1
        entry.hits += 1
        entry.tags |= 1 << source.tag


def _size(key: tuple[int, int, bytes], entry: _Entry) -> int:
    return 160 + len(key[2]) + len(entry.reply)


def _patched(entry: _Entry, query: bytes, question: int, age: int) -> bytes:
    reply = bytearray(entry.reply)
    reply[:2] = query[:2]
    reply[12 : 12 + question] = query[12 : 12 + question]
    if age:
        for offset in entry.ttls:
            (ttl,) = struct.unpack_from("!I", reply, offset)
            struct.pack_into("!I", reply, offset, max(0, ttl - age))
    return bytes(reply)


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
