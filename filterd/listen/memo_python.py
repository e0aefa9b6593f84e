"""The specification of the memo, in plain Python; contract in `resolve.memo`."""

from __future__ import annotations

import struct
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from filterd.listen.drain_form import plain_form
from filterd.metrics import layout
from filterd.metrics.seen import Names
from filterd.resolve.memo import LINEAGE, MAX_TTLS, NO_TALLY
from filterd.resolve.source import network_of
from filterd.wire import padding

DATAGRAM = 4096
FRAMES_MOST = 65_536
NETWORKS = 4096
NETWORK_SHARE = 4


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
    uses: int = 0
    carried: int = 0


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


_Key = tuple[int, int, bytes]
"""Rules, variant, question."""


class PythonMemo:
    """The memo's specification."""

    def __init__(self, counters: memoryview | bytearray, limit_bytes: int) -> None:
        self._counters = memoryview(counters).cast("B").cast("Q")
        self._limit_bytes = limit_bytes
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._bytes = 0
        self._oldest = 0
        self._inherited: dict[_Key, _Key] = {}
        self._harvesting = self._listing = False
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
        if len(ttls) > MAX_TTLS:
            raise ValueError("too many numbers for a memo entry")
        if len(reply) < 12 + len(question) or len(reply) > DATAGRAM:
            return False
        key = (rules, variant, question)
        self._find(key)
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

    def outline(self, outline: object | None, /) -> None:
        """Names are judged one by one here."""

    def spread(self, rules: int, variant: int, question: bytes, /) -> bool:
        return False

    def flush(self) -> None:
        self._entries.clear()
        self._inherited.clear()
        self._bytes = 0

    def forget_sources(self) -> None:
        self._sources.clear()

    def harvest(self, names: Names | None = None, /) -> list[tuple[int, bytes, int, int]]:
        found = []
        for (rules, _variant, question), entry in self._entries.items():
            if entry.hits:
                if names is not None:
                    names.name(question[:-4], entry.hits, entry.tags)
                found.append((rules, question, entry.hits, entry.tags))
                entry.hits = entry.tags = 0
        for key in [key for key, entry in self._entries.items() if self._over(key, entry)]:
            self._bytes -= _size(key, self._entries.pop(key))
        return found

    def held_some(self, outline: object | None, /) -> list[tuple[int, bytes, int]] | None:
        self._listing = not self._listing
        now_ms = time.monotonic_ns() // 1_000_000
        found = [
            (entry.carried or key[0], key[2], entry.uses)
            for key, entry in self._entries.items()
            if entry.until_ms > now_ms and not self._over(key, entry)
        ]
        return found if self._listing else None

    def carry(
        self, rules: int, heirs: int, question: bytes, since_ms: int, until_ms: int, /
    ) -> int:
        if not heirs or (rules ^ heirs) & LINEAGE:
            raise ValueError("rules of another lineage")
        carried = 0
        for variant in range(64):
            key = (rules, variant, question)
            entry = self._find(key)
            if entry is None or entry.stored_ms < since_ms:
                continue
            entry.carried = heirs
            entry.until_ms = min(entry.until_ms, until_ms)
            self._inherited[heirs, variant, question] = key
            carried += 1
        return carried

    def retire(self, oldest: int, /) -> None:
        self._oldest = oldest
        self._inherited = {new: old for new, old in self._inherited.items() if new[0] >= oldest}

    def _over(self, key: _Key, entry: _Entry) -> bool:
        """Whether no rules in force can use it any more."""
        return key[0] < self._oldest and entry.carried < self._oldest

    def _find(self, key: _Key) -> _Entry | None:
        """What is held under a key; what was carried is from now on held under that alone."""
        former = self._inherited.pop(key, None)
        entry = self._entries.get(former) if former is not None else None
        if former is not None and entry is not None and entry.carried == key[0]:
            entry.carried = 0
            self._entries[key] = self._entries.pop(former)
        return self._entries.get(key)

    def harvest_some(
        self, names: Names | None = None, /
    ) -> list[tuple[int, bytes, int, int]] | None:
        self._harvesting = not self._harvesting
        return self.harvest(names) if self._harvesting else None

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

    def repeat_frames(
        self, octets: bytes | memoryview, source: bytes, transport: int, /
    ) -> tuple[bytes, int]:
        if not transport:
            raise ValueError("no such source or transport")
        answers, at = bytearray(), 0
        while at + 2 <= len(octets) and len(answers) < FRAMES_MOST:
            end = at + 2 + int.from_bytes(octets[at : at + 2], "big")
            if end > len(octets):
                break
            reply = self.repeat(bytes(octets[at + 2 : end]), source, transport)
            if reply is None:
                break
            answers += len(reply).to_bytes(2, "big") + reply
            at = end
        return bytes(answers), at

    def answer(self, query: bytes, address: bytes, now_ms: int, transport: int = 0) -> bytes | None:
        """The response to a plain query of a known source, or None: the handler's to answer."""
        source = self._sources.get(address)
        form = plain_form(query) if source is not None else None
        if source is None or form is None:
            return None
        variant, question, room, padded = form
        key = (source.rules, variant | transport << 4, question)
        entry = self._find(key)
        if entry is None or entry.until_ms <= now_ms:
            return None
        if not transport and (len(entry.reply) > room or not source.spend(now_ms)):
            return None
        padded = padded and transport in (layout.DOT, layout.DOH)
        if padded and len(entry.reply) > DATAGRAM - 3 - padding.BLOCK:
            return None
        self._entries.move_to_end(key)
        self._count(entry, source)
        reply = _patched(entry, query, len(question), (now_ms - entry.stored_ms) // 1000)
        return padding.fill(reply) if padded else reply

    def count(self, place: int) -> None:
        """Add one to a counter."""
        self._counters[place] += 1

    def _count(self, entry: _Entry, source: _Source) -> None:
        for index in entry.counts:
            self._counters[index] += 1
        if entry.tally != NO_TALLY:
            source.tallies[entry.tally] = source.tallies.get(entry.tally, 0) + 1
        entry.hits += 1
        entry.uses += 1
        entry.tags |= 1 << source.tag


def _size(key: _Key, entry: _Entry) -> int:
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
