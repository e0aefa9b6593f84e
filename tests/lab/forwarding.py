"""A filter of one UDP socket in this process, in front of a real upstream, native or in Python."""

from __future__ import annotations

import asyncio
import socket
import time
from types import TracebackType

import dns.flags
import dns.message

from filterd.listen.drain import open_forward, open_memo
from filterd.listen.standby import readers
from filterd.listen.udp import UdpListener
from filterd.metrics import layout
from filterd.metrics.counters import Counters
from filterd.metrics.seen import Seen
from filterd.resolve.cache import Cache
from filterd.resolve.forwarding import Forwarding, places
from filterd.resolve.handler import Equipment, Handler
from filterd.upstream.pool import Pool
from filterd.upstream.settings import PoolSettings, Strategy
from tests.lab.school import School


class Box:
    """`native` False is how the filter runs where nothing was compiled."""

    def __init__(
        self,
        school: School,
        upstreams: tuple[str, ...],
        native: bool,
        strategy: Strategy = Strategy.FASTEST,
    ) -> None:
        self.pool = Pool(PoolSettings(upstreams, strategy))
        self.counters = Counters.private()
        self.memo = open_memo(self.counters.values, 1 << 20)
        self.seen = Seen(bytes(16))
        self.cache = Cache(1 << 20, 86_400)
        equipment = Equipment(
            self.pool, self.counters, self.memo, self.seen, self.cache, lambda: None,
            time.monotonic, lambda address: True, bytes(16),
        )  # fmt: skip
        self.handler = Handler(equipment)
        self.school = school
        self._native = native
        self.forwarding = Forwarding(
            self.handler, self.cache, self.pool, self.pool.plain, time.monotonic
        )

    async def __aenter__(self) -> Box:
        await self.pool.start()
        if self._native:
            native = open_forward(
                self.memo, 1 << 20, (0, 86_400), 1000, self.forwarding.judge,
                self.forwarding.refresh, places(),
            )  # fmt: skip
            assert native is not None
            self.forwarding.start(native, readers(asyncio.get_running_loop()))
        self.handler.placements.swap(self.school.running())
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._listener = UdpListener(
            self._socket, self.memo, self.handler, self.counters, self.forwarding
        )
        # a source is known from its first question on, which is the handler's
        await self.ask("known.example")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()
        self._socket.close()
        self.forwarding.close()
        await self.handler.finish(0.1)
        await self.pool.close()

    async def ask(
        self, name: str, rtype: str = "A", do: bool | None = None, source: str = "127.0.11.1"
    ) -> dns.message.Message:
        """What a client of this address is answered; `do` None: a query without EDNS."""
        query = dns.message.make_query(name, rtype, use_edns=None if do is None else 0)
        if do:
            query.want_dnssec()
        return dns.message.from_wire(await self.exchange(query.to_wire(), source))

    async def exchange(self, query: bytes, source: str = "127.0.11.1") -> bytes:
        """The octets of the answer; TimeoutError after 6 s."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.bind((source, 0))
            client.connect(self._socket.getsockname())
            client.send(query)
            async with asyncio.timeout(6):
                while True:
                    reply = await loop.sock_recv(client, 4096)
                    if reply[:2] == query[:2]:
                        return reply

    def outcomes(self) -> dict[str, int]:
        """How many questions ended in which way."""
        found = {}
        for number, outcome in enumerate(layout.OUTCOMES):
            places = [layout.query_place(t, number, layout.UDP) for t in range(layout.TIERS)]
            found[outcome] = sum(self.counters.values[at] for at in places)
        return found

    def single(self, name: str) -> int:
        """A counter without labels."""
        return int(self.counters.values[layout.single_place(name)])
