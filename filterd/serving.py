"""What a worker is made of: listeners, handler, cache, memo, pool and the ruleset in force.

The worker's composition root; `filterd.worker` speaks with the supervisor and calls this.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filterd import tasks
from filterd.clients.segments import Segments, packed
from filterd.documents import Documents
from filterd.errors import FilterdError
from filterd.gateway.answered import Answered
from filterd.listen.admission import Admission
from filterd.listen.drain import open_forward, open_memo, open_names, open_networks, open_outline
from filterd.listen.standby import readers
from filterd.listen.tcp import StreamListener, StreamServer
from filterd.listen.udp import UdpListener
from filterd.metrics import layout
from filterd.metrics.counters import Counters
from filterd.metrics.seen import Seen
from filterd.pauses import Sweeper, in_turns
from filterd.policy.model import Policy
from filterd.resolve.answers import Clamp
from filterd.resolve.cache import Cache
from filterd.resolve.forwarding import Forwarding, places
from filterd.resolve.handler import Equipment, Handler
from filterd.resolve.succession import prepare
from filterd.resolve.tail import Tail
from filterd.ruleset_frame import RulesetReader
from filterd.upstream.canaries import WithCanaries
from filterd.upstream.pool import Pool
from filterd.upstream.settings import pool_settings
from filterd.wire.names import from_text, to_wire

if TYPE_CHECKING:
    from filterd.listen.encrypted import Encrypted

_MIB = 1 << 20
_GRACE_SECONDS, _HARVEST_TICKS = 2.0, 10


class Serving:
    """Everything that answers, until `close`."""

    def __init__(self, frame: Mapping[str, Any], pool: Pool, documents: Documents | None) -> None:
        settings: Mapping[str, Any] = frame["settings"]
        self._settings = settings
        self._pool = pool
        self._canaries = WithCanaries(pool)
        self._policy: Policy | None = None
        self._neighbours: dict[bytes, str] = {}
        self._reader = RulesetReader(settings, open_outline, documents)
        self._frame: Mapping[str, Any] | None = None
        self._designated: tuple[str, ...] = ()
        self._using = asyncio.Lock()
        self._trusted, self._ticks = False, 0
        self._sweeper = Sweeper()
        self.counters = Counters.open(Path(frame["counters"]), int(frame["slot"]))
        cache = settings.get("cache", {})
        size = int(cache.get("size_mib", 64)) * _MIB
        # the memo repeats what the cache holds, so it is paid for out of the same purse
        self._memo = open_memo(self.counters.values, size // 4)
        self._cache = Cache(size // 2, float(cache.get("stale", 3 * 86_400)))
        equipment = self._equipment(frame, cache)
        self.handler = Handler(equipment)
        pool.between(self.handler.between)
        self._forwarding = self._forward(equipment, size // 4)
        self._answered_to = Answered.wanted(settings)
        if (answered := self._answered_to) is not None:
            self.handler.flights.answered = lambda one: answered.note(one.addresses, one.lifetime)
        self.streams = StreamServer(self.handler, self.counters, memo=self._memo)
        self._listeners: list[UdpListener | StreamListener] = []
        self._encrypted: Encrypted | None = None
        self._sockets: Mapping[str, Any] | None = frame
        if not frame.get("hold"):
            self._listen()

    @classmethod
    async def start(cls, frame: Mapping[str, Any], documents: Documents | None = None) -> Serving:
        """Everything up, and SERVFAIL for everyone until a ruleset comes.

        With `hold` nothing is read before the first ruleset: a sibling that can decide shares the
        sockets, and takes the questions meanwhile.
        """
        pool = Pool(pool_settings(frame["settings"]))
        await pool.start()
        return cls(frame, pool, documents)

    async def take(self, what: str, frame: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a frame says (see `filterd.worker`); raises FilterdError."""
        match what:
            case "ruleset":
                await self._use(frame)
                return {}
            case "neighbours":
                self._neighbours = {packed(a): key for a, key in frame["table"].items()}
                if self._policy is not None:
                    self.handler.placements.settle(Segments(self._policy, self._neighbours))
                return {}
            case "seen":
                return await self._seen(str(frame["key"]))
            case "tail":
                self._watch(float(frame["until"]))
                return {}
            case "rows":
                return {"rows": self._rows(int(frame.get("after", 0)))}
            case "flush":
                return {"gone": self._flush(frame.get("name"))}
            case "upstreams":
                return {"upstreams": [asdict(each) for each in self._pool.snapshot()]}
        raise FilterdError(f"a worker does not know how to {what!r}")

    def tick(self, lag: float) -> None:
        """Once a second: gauges, the cookies' clock, the end of a debug view."""
        self._ticks += 1
        self.handler.cookies.seconds = int(time.time())
        if (tail := self.handler.teller.tail) is not None and time.monotonic() >= tail.until:
            self._watch(0.0)
        if self._ticks % _HARVEST_TICKS == 0:
            self.handler.placements.begin()
            self._harvest()
        self._sweeper.tick(sum(self.counters.values[layout.QUERIES_AT : layout.BLOCKED_AT]))
        if self._answered_to is not None:
            self._answered_to.send()
        if self._frame is not None and self._designation() != self._designated:
            tasks.spawn(self._designate(), "designation")
        (entries, octets), behind = self._memo.weight, self._forwarding.weight
        gauges = {
            "cache_bytes": self._cache.size + behind[1],
            "cache_entries": len(self._cache) + behind[0],
            "cache_evictions": self._cache.evictions,
            "memo_entries": entries,
            "memo_bytes": octets,
            "lag_microseconds": int(lag * 1e6),
        }
        for name, value in gauges.items():
            self.counters.set(layout.single_place(name), value)
        self._forwarding.account()
        self._count_upstreams()

    async def close(self) -> None:
        """Stop listening, let what is under way finish, then stop."""
        for listener in self._listeners:
            listener.close()
        if self._encrypted is not None:
            await self._encrypted.close()
        self._forwarding.close()
        await self.handler.finish(_GRACE_SECONDS)
        self.streams.close()
        await self._pool.close()

    def _listen(self) -> None:
        """Begin to read the sockets of the start frame; the second time nothing."""
        frame, self._sockets = self._sockets, None
        if frame is None:
            return
        for fd in frame.get("udp", ()):
            sock = _inherited(fd)
            self._listeners.append(
                UdpListener(sock, self._memo, self.handler, self.counters, self._forwarding)
            )
        for fd in frame.get("tcp", ()):
            self._listeners.append(StreamListener(_inherited(fd), self.streams))
        self._encrypted = self._open_encrypted(frame)

    def _equipment(self, frame: Mapping[str, Any], cache: Mapping[str, Any]) -> Equipment:
        secret = bytes.fromhex(frame["secret"]) if "secret" in frame else secrets.token_bytes(16)
        return Equipment(
            exchanger=self._canaries,
            counters=self.counters,
            memo=self._memo,
            seen=Seen(secrets.token_bytes(16), open_names()),
            cache=self._cache,
            clock=self._clock,
            monotonic=time.monotonic,
            allowed=Admission(self._settings.get("allow_from", ())).allows,
            cookie_secret=secret,
            clamp=Clamp(int(cache.get("min_ttl", 0)), int(cache.get("max_ttl", 86_400))),
        )

    def _forward(self, equipment: Equipment, size: int) -> Forwarding:
        """Forwarding without Python, where it is compiled."""
        pool, canaries = self._pool, self._canaries

        def plain(name: bytes) -> bool:
            return canaries.plain(name) and pool.plain(name)

        forwarding = Forwarding(self.handler, self._cache, pool, plain, time.monotonic)
        clamp, pending = equipment.clamp, equipment.limits.pending
        native = open_forward(
            self._memo, size, (clamp.least, clamp.most), pending, forwarding.judge,
            forwarding.refresh, places(),
        )  # fmt: skip
        if native is not None:
            forwarding.start(native, readers(asyncio.get_running_loop()))
        return forwarding

    def _open_encrypted(self, frame: Mapping[str, Any]) -> Encrypted | None:
        dot, doh = (tuple(map(_inherited, frame.get(key, ()))) for key in ("dot", "doh"))
        tls = self._settings.get("listen", {}).get("tls", {})
        if not (dot or doh) or not tls.get("certificate") or not tls.get("key"):
            return None
        # a third of all imports, and most schools have no encrypted listener
        from filterd.listen.encrypted import Encrypted, Sockets

        files = (Path(tls["certificate"]), Path(tls["key"]))
        return Encrypted(files, Sockets(dot, doh), self.handler, self.streams)

    def _clock(self) -> datetime | None:
        return datetime.now(UTC) if self._trusted else None

    async def _use(self, frame: Mapping[str, Any]) -> None:
        """Read, compile and swap; what fails leaves the running ruleset as it is."""
        async with self._using:
            await self._compiled(frame)
            self._frame = frame

    async def _designate(self) -> None:
        """A certificate came, or ended: devices are told of our endpoints, or no longer (DDR)."""
        async with self._using:
            if self._frame is not None and self._designation() != self._designated:
                await self._compiled(self._frame)

    def _designation(self) -> tuple[str, ...]:
        return self._encrypted.designation() if self._encrypted is not None else ()

    async def _compiled(self, frame: Mapping[str, Any]) -> None:
        self._designated = self._designation()
        try:
            neighbours = self._neighbours
            policy, running, listed = await asyncio.to_thread(
                self._reader.read, frame, neighbours, self._designated
            )
        except BaseException:
            self._listen()  # what cannot decide says so: silence would tell nobody why
            raise
        self._trusted = bool(frame.get("at_trusted", False))
        self._pool.believe_clock(self._trusted)
        heirs = await prepare(self.handler.placements, self._memo, self._cache, running)
        self._policy = policy
        if self._neighbours is not neighbours:  # they moved meanwhile
            running = replace(running, places=Segments(policy, self._neighbours))
        note = self._answered_to.note if self._answered_to is not None else None
        self._forwarding.watch(open_networks(listed), note)
        self.handler.placements.swap(running, heirs)
        self._harvest()
        self.counters.set(layout.single_place("policy_revision"), running.revision)
        self._listen()

    def _harvest(self) -> None:
        """A busy hour leaves ten thousand names to count: between queries, a few at a time."""
        tasks.spawn(in_turns(self.handler.placements.step), "harvest")

    async def _seen(self, key: str) -> dict[str, Any]:
        self.handler.placements.begin()
        await in_turns(self.handler.placements.step)
        placed = self.handler.placements.settled()
        report = self.handler.placements.take_seen(bytes.fromhex(key))
        return {
            "names": [list(each) for each in report.names],
            "refusals": [list(each) for each in report.refusals],
            "forgotten": report.forgotten,
            "places": [[p.tier, p.segment, p.known, count] for p, count in placed.items()],
        }

    def _watch(self, seconds: float) -> None:
        on = seconds > 0
        self.handler.teller.tail = Tail(time.monotonic() + seconds, self._clock) if on else None
        self.handler.placements.watch(direct=on)

    def _rows(self, after: int) -> list[dict[str, Any]]:
        rows = () if (tail := self.handler.teller.tail) is None else tail.rows(after)
        return [json.loads(json.dumps(row._asdict(), default=str)) for row in rows]

    def _flush(self, name: str | None) -> int:
        self._memo.flush()
        if self._forwarding.forward is not None:
            self._forwarding.forward.flush()
        return self._cache.flush(None if name is None else to_wire(from_text(name)))

    def _count_upstreams(self) -> None:
        for number, each in enumerate(self._pool.snapshot()[: layout.UPSTREAMS]):
            values = (each.queries, each.failures, int(each.rtt * 1e6), each.state == "up")
            for field, value in enumerate(values):
                self.counters.set(layout.upstream_place(number, field), int(value))


def _inherited(fd: int) -> socket.socket:
    return socket.socket(fileno=fd)
