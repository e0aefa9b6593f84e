"""Addresses of upstreams that are given by host name, asked of plain resolvers.

An answer that is lied about only costs the connection: the certificate still has to be right.
"""

from __future__ import annotations

import asyncio
import socket

from filterd.errors import UpstreamError
from filterd.upstream.attempt import Arrival, Attempt, Outcome, Transport
from filterd.upstream.question import UpstreamQuestion
from filterd.upstream.scan import answer_data
from filterd.wire import constants as iana
from filterd.wire.names import from_text, to_wire

LOOKUP_SECONDS = 1.0
KEEP_SECONDS = 300.0


class Bootstrap:
    """Looks names up over the given transports, in order; remembers the last good addresses."""

    def __init__(self, resolvers: tuple[Transport, ...]) -> None:
        self._resolvers = resolvers
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}

    async def lookup(self, name: str) -> tuple[str, ...]:
        """IPv4 addresses, then IPv6; when nobody answers, those known before. UpstreamError."""
        loop = asyncio.get_running_loop()
        until, known = self._known.get(name, (0.0, ()))
        if loop.time() < until:
            return known
        found: list[str] = []
        wire = to_wire(from_text(name))
        for qtype, family in ((iana.A, socket.AF_INET), (iana.AAAA, socket.AF_INET6)):
            found += [socket.inet_ntop(family, data) for data in await self._ask(wire, qtype)]
        if not found and not known:
            raise UpstreamError(
                f"the address of {name} cannot be looked up: add #ip=ADDRESS to the upstream",
                iana.EDE_NETWORK,
            )
        addresses = tuple(found) or known
        self._known[name] = (loop.time() + KEEP_SECONDS, addresses)
        return addresses

    async def close(self) -> None:
        """Close what the resolvers hold."""
        for transport in self._resolvers:
            await transport.close()

    async def _ask(self, name: bytes, qtype: int) -> tuple[bytes, ...]:
        for transport in self._resolvers:
            outcome = await _exchange(transport, UpstreamQuestion(name, qtype))
            if isinstance(outcome, Arrival) and outcome.facts.rcode == iana.NOERROR:
                return answer_data(outcome.wire, qtype)
        return ()


async def _exchange(transport: Transport, question: UpstreamQuestion) -> Outcome:
    """One exchange with its own time limit, as a plain await."""
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    attempt: Attempt | None = None
    try:
        attempt = transport.start(question, future.set_result)
        async with asyncio.timeout(LOOKUP_SECONDS):
            return await future
    except UpstreamError as error:
        return error
    except TimeoutError:
        return UpstreamError("no resolver answered in time")
    finally:
        if attempt is not None and not future.done():
            attempt.cancel()
