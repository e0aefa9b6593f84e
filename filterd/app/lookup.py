"""Asks upstream on behalf of people who want a name explained: one question, nothing kept.

Owns a pool of the supervisor's own, made when somebody first asks, with the workers' settings.
A worker is not asked: it takes one frame after the other, and an edit must not wait for a name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from filterd.config import Settings
from filterd.errors import UpstreamError, WireError
from filterd.policy.model import Name
from filterd.policy.onward import Looked
from filterd.wire import constants as c
from filterd.wire.names import from_wire, to_wire

if TYPE_CHECKING:
    from filterd.upstream.pool import Pool
    from filterd.upstream.question import UpstreamReply

SECONDS = 1.9


class Lookup:
    """`await lookup(name, type number)`; `close` at the end."""

    def __init__(self, settings: Settings, clock_trusted: Callable[[], bool]) -> None:
        self._settings = settings
        self._clock_trusted = clock_trusted
        self._pool: Pool | None = None
        self._starting = asyncio.Lock()

    async def __call__(self, name: Name, qtype: int) -> Looked:
        """What the Internet says of a name, told as an error when it says nothing."""
        # not at the top: a box that just started answers sooner without this room
        from filterd.resolve.answers import Clamp, normalise
        from filterd.wire.records import parse_reply

        key = to_wire(name) + qtype.to_bytes(2, "big") + c.IN.to_bytes(2, "big")
        try:
            async with asyncio.timeout(SECONDS + 1):
                reply = await self._exchange(key, qtype)
            message = reply.message or parse_reply(reply.wire)
            if message.rcode not in (c.NOERROR, c.NXDOMAIN):
                return Looked(name, error=f"the upstream answered with rcode {message.rcode}")
            found = normalise(message, key, 0.0, Clamp())
        except (UpstreamError, WireError, TimeoutError) as error:
            return Looked(name, error=str(error) or "no answer in time")
        targets = tuple(from_wire(each) for each in found.targets)
        return Looked(name, targets, found.addresses)

    async def _exchange(self, key: bytes, qtype: int) -> UpstreamReply:
        from filterd.upstream.canaries import WithCanaries
        from filterd.upstream.question import UpstreamQuestion, UpstreamReply

        pool = await self._started()
        pool.believe_clock(self._clock_trusted())
        loop = asyncio.get_running_loop()
        told: asyncio.Future[UpstreamReply] = loop.create_future()

        def done(outcome: UpstreamReply | UpstreamError) -> None:
            if told.done():
                return
            if isinstance(outcome, UpstreamReply):
                told.set_result(outcome)
            else:
                told.set_exception(outcome)

        question = UpstreamQuestion(key[:-4], qtype, c.IN, True, False)
        WithCanaries(pool).ask(question, loop.time() + SECONDS, done)
        return await told

    async def _started(self) -> Pool:
        from filterd.upstream.pool import Pool
        from filterd.upstream.settings import pool_settings

        async with self._starting:
            if self._pool is None:
                pool = Pool(pool_settings(self._settings.for_worker()))
                await pool.start()
                self._pool = pool
        return self._pool

    async def close(self) -> None:
        """Close what was opened."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None
