"""One connection to an upstream that carries many questions: opening, idling, losing it.

What a question looks like on it is for the subclasses: `framed` (TCP and TLS) and `https`.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from filterd.errors import UpstreamError
from filterd.upstream.attempt import Arrival
from filterd.upstream.question import UpstreamQuestion
from filterd.wire import constants as iana

CONNECT_SECONDS = 3.0
IDLE_SECONDS = 9.0
"""Below the 10 s after which most servers close, so that they rarely close under a question."""

Dial = Callable[[Callable[[], asyncio.BaseProtocol]], Awaitable[None]]
"""Connects the protocol and checks who is there; raises OSError or UpstreamError."""


class Asked(Protocol):
    """A question that waits on a channel."""

    question: UpstreamQuestion
    channel: Channel | None
    key: int
    query: bytes
    sent: int
    lied_to: bool

    def finish(self, outcome: Arrival | UpstreamError) -> None:
        """Tell its asker, once."""

    def channel_lost(self, error: UpstreamError, *, fresh: bool) -> None:
        """The channel is gone; `fresh` if it never gave an answer."""


class Channel(asyncio.BaseProtocol):
    """Base of the connections; the subclass says how a question is written and read."""

    def __init__(self, gone: Callable[[Channel], None]) -> None:
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = None
        self._checked = False
        self._waiting: list[Asked] = []
        self._asked: dict[int, Asked] = {}
        self._answered = 0
        self._idle: asyncio.TimerHandle | None = None
        self.closing = False

    def __len__(self) -> int:
        return len(self._asked) + len(self._waiting)

    async def open(self, dial: Dial) -> None:
        """Connect within CONNECT_SECONDS; a failure fails every question that waits for it."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await dial(lambda: self)
        except UpstreamError as error:
            self.close(error)
        except TimeoutError:
            self.close(UpstreamError("no connection in time"))
        except OSError as error:
            reason = error.strerror or str(error)
            self.close(UpstreamError(f"cannot connect: {reason}", iana.EDE_NETWORK))
        else:
            self._flush()

    def ask(self, asked: Asked) -> None:
        """Send the question now, or as soon as it is known who is there."""
        asked.channel = self
        if self._checked:
            self._write(asked)
        else:
            self._waiting.append(asked)

    def forget(self, asked: Asked) -> None:
        """Nobody waits for this answer any more."""
        if asked in self._waiting:
            self._waiting.remove(asked)
        elif self._asked.get(asked.key) is asked:
            del self._asked[asked.key]

    def close(self, error: UpstreamError) -> None:
        """Close; what is still asked here is tried elsewhere or fails with `error`."""
        if self.closing:
            return
        self.closing = True
        self._gone(self)
        if self._idle is not None:
            self._idle.cancel()
        if self._transport is not None:
            self._transport.abort()
        left = [*self._asked.values(), *self._waiting]
        self._asked.clear()
        self._waiting.clear()
        for asked in left:
            asked.channel = None
            asked.channel_lost(error, fresh=not self._answered)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing is asked yet: the dial first checks who is there."""
        self._transport = cast(asyncio.WriteTransport, transport)
        if self.closing:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer closed or the network broke."""
        self.close(UpstreamError(f"connection lost: {exc or 'closed by the upstream'}"))

    def eof_received(self) -> bool:
        """A half-closed upstream has nothing more to say to us."""
        return False

    @abstractmethod
    def _write(self, asked: Asked) -> None:
        """Give the question its key here and send it."""

    def _ready(self) -> None:
        """Called once, when the other side is known."""

    def _flush(self) -> None:
        if self.closing:
            return
        self._checked = True
        self._ready()
        waiting, self._waiting = self._waiting, []
        for asked in waiting:
            self._write(asked)
        self._rest()

    def _replied(self) -> None:
        """An answer came: the channel is no longer fresh and the idle clock starts again."""
        self._answered += 1
        self._rest()

    def _rest(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = self._loop.call_later(IDLE_SECONDS, self._rested)

    def _rested(self) -> None:
        if len(self):
            self._rest()
        else:
            self.close(UpstreamError("idle"))
