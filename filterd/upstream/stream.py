"""The transports `tcp`, `dot` and `doh` of one upstream: a few connections, reused (RFC 7766)."""

from __future__ import annotations

from collections.abc import Callable

from filterd.errors import UpstreamError
from filterd.tasks import spawn
from filterd.upstream.attempt import Arrival, Attempt, Done
from filterd.upstream.channel import Channel, Dial
from filterd.upstream.question import UpstreamQuestion
from filterd.wire import constants as iana

MAX_CONNECTIONS = 4
MAX_PIPELINED = 100

MakeChannel = Callable[[Callable[[Channel], None]], Channel]


class StreamQuestion:
    """One question on its way over connections; implements `channel.Asked` and `Attempt`."""

    __slots__ = (
        "_done",
        "_retried",
        "_stream",
        "channel",
        "key",
        "lied_to",
        "query",
        "question",
        "sent",
    )

    def __init__(self, stream: Stream, question: UpstreamQuestion, done: Done) -> None:
        self._stream, self.question, self._done = stream, question, done
        self.channel: Channel | None = None
        self.key = 0
        self.query = b""
        self.sent = 1
        self.lied_to = False
        self._retried = False

    def cancel(self) -> None:
        """Forget the question; its reply will be dropped on arrival."""
        if self.channel is not None:
            self.channel.forget(self)

    def finish(self, outcome: Arrival | UpstreamError) -> None:
        """Tell the pool, once."""
        self._done(outcome)

    def channel_lost(self, error: UpstreamError, *, fresh: bool) -> None:
        """A reused connection may close as we write: try a new one once (RFC 7766 §6.2.4)."""
        if fresh or self._retried:
            self._done(error)
            return
        self._retried = True
        try:
            self._stream.place(self)
        except UpstreamError as busy:
            self._done(busy)


class Stream:
    """Keeps the connections of one upstream."""

    def __init__(self, dial: Dial, make: MakeChannel, transport: str) -> None:
        self._dial = dial
        self._make = make
        self._transport = transport
        self._channels: list[Channel] = []

    def start(self, question: UpstreamQuestion, done: Done) -> Attempt:
        """Put the question on a connection, a new one if none is open or all are busy."""
        asked = StreamQuestion(self, question, done)
        self.place(asked)
        return asked

    def place(self, asked: StreamQuestion) -> None:
        """Choose the least busy connection for a question; raises UpstreamError if all are full."""
        best = min(self._channels, key=len, default=None)
        if best is None or (len(best) >= MAX_PIPELINED and len(self._channels) < MAX_CONNECTIONS):
            best = self._make(self._channels.remove)
            self._channels.append(best)
            spawn(best.open(self._dial), f"connect {self._transport}")
        elif len(best) >= MAX_PIPELINED:
            raise UpstreamError("too many questions on every connection", iana.EDE_OTHER)
        best.ask(asked)

    def renew(self) -> None:
        """End every connection; what is asked on those that ever answered is asked once more."""
        for channel in list(self._channels):
            channel.close(UpstreamError("who is there is to be proven anew"))

    async def close(self) -> None:
        """Close every connection; questions on them fail."""
        for channel in list(self._channels):
            channel.close(UpstreamError("shutting down"))
