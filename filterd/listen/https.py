"""DNS over HTTPS for clients: HTTP/2 and HTTP/1.1 on TLS, in front of the one handler (RFC 8484).

Owns a connection's clock and the way from a request to `try_answer` and back.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

from filterd.listen.accept import Serve
from filterd.listen.carrier import Buffers, Carrier
from filterd.listen.certificate import Certificate, server_name
from filterd.listen.frames import Answerer
from filterd.listen.http1 import Http1
from filterd.listen.http2_native import open_http2
from filterd.listen.http_dns import Request, Response, answer, read_request
from filterd.metrics import layout
from filterd.resolve.memo import Memo
from filterd.resolve.via import Via
from filterd.wire import padding

ALPN = ("h2", "http/1.1")
REQUEST_SECONDS = 5.0
"""From a request's first octet to its answer; slower ones are dropped."""
IDLE_SECONDS = 30.0
TICK_SECONDS = 1.0
MAX_UNSENT = 262_144
"""Octets a client may leave unread before it is cut off."""


class Session(Protocol):
    """One of the two versions of HTTP."""

    @property
    def dead(self) -> bool:
        """Whether it has to be closed."""

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""

    @property
    def crowded(self) -> bool:
        """Whether more octets would only wait."""

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the client."""

    def respond(self, key: int, response: Response) -> None:
        """Answer the request `key`."""

    def expire(self, before: float) -> None:
        """Give up what began before this time."""


class Https:
    """The session of one client's connection."""

    def __init__(
        self, client: bytes, handler: Answerer, certificate: Certificate, memo: Memo | None
    ) -> None:
        """With `memo` what it can repeat does not trouble the handler."""
        self.client = client
        self._handler, self._certificate, self._memo = handler, certificate, memo
        self._loop = asyncio.get_running_loop()
        self._session: Session | None = None
        self._carrier: Carrier | None = None
        self._named: str | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._last = self._held = 0.0

    def begin(self, carrier: Carrier) -> None:
        """TLS is up: ALPN says which HTTP, the server name perhaps which device."""
        self._carrier = carrier
        self._named = self._certificate.device(server_name(carrier.tls))
        chosen = carrier.tls.selected_alpn_protocol() if carrier.tls is not None else None
        if chosen == "h2":
            memo = self._memo if self._named is None else None
            self._session = open_http2(self._write, self._asked, memo, self.client)
        else:
            self._session = Http1(self._write, self._asked)
        self._last = self._loop.time()
        self._tick = self._loop.call_later(TICK_SECONDS, self._on_tick)

    def receive(self, octets: memoryview) -> None:
        """Feed the session; it calls `_asked` for each whole request."""
        if self._session is not None:
            self._last = self._loop.time()
            self._session.receive(bytes(octets), self._last)
            self._regulate()
            self._close_if_dead()

    def hold(self, full: bool) -> None:
        """Who leaves its answers unread may ask no more meanwhile, and not for long."""
        self._held = self._loop.time() if full else 0.0
        self._regulate()

    def end(self) -> None:
        """The client says no more: in HTTP nobody waits for an answer then."""
        if self._carrier is not None:
            self._carrier.close()

    def over(self) -> None:
        """Late answers find no session any more."""
        self._session = None
        if self._tick is not None:
            self._tick.cancel()

    def _asked(self, key: int, request: Request) -> None:
        asked = read_request(request)
        if isinstance(asked, Response):
            self._respond(key, asked)
            return
        device = asked.device or self._named
        via = Via(layout.DOH, self._late, device=device, pad=padding.BLOCK)
        now = self._loop.time()
        response = None
        if self._memo is not None and device is None:
            response = self._memo.repeat(asked.wire, self.client, layout.DOH)
        if response is None:
            response = self._handler.try_answer(asked.wire, self.client, now, via, key)
        if response is not None:
            self._respond(key, answer(response))

    def _late(self, response: bytes, token: object) -> None:
        if isinstance(token, int):
            self._respond(token, answer(response))
            self._regulate()
            self._close_if_dead()

    def _respond(self, key: int, response: Response) -> None:
        if self._session is not None:
            self._session.respond(key, response)

    def _write(self, octets: bytes) -> None:
        if self._carrier is None:
            return
        self._carrier.write(octets)
        if self._carrier.unsent > MAX_UNSENT:
            self._carrier.abort()

    def _on_tick(self) -> None:
        if self._session is None or self._carrier is None:
            return
        now = self._loop.time()
        self._session.expire(now - REQUEST_SECONDS)
        if self._held and now - self._held > REQUEST_SECONDS:
            self._carrier.abort()
        if not self._session.busy and now - self._last > IDLE_SECONDS:
            self._carrier.close()
        else:
            self._tick = self._loop.call_later(TICK_SECONDS, self._on_tick)
        self._close_if_dead()

    def _regulate(self) -> None:
        """What cannot be answered now stays with the client: it is not stored here."""
        if self._session is not None and self._carrier is not None:
            self._carrier.pause(self._held > 0 or self._session.crowded)

    def _close_if_dead(self) -> None:
        if self._session is not None and self._session.dead and self._carrier is not None:
            self._carrier.close()


def https_server(handler: Answerer, certificate: Certificate, memo: Memo | None = None) -> Serve:
    """What an `Acceptor` does with each client of a DoH socket."""
    context = certificate.context(*ALPN)
    buffers = Buffers()

    async def serve(accepted: socket.socket, client: bytes) -> None:
        session = Https(client, handler, certificate, memo)
        await Carrier(session, buffers, context).serve(accepted)

    return serve
