"""HTTP/1.1 of a DoH client: one request at a time, for clients without HTTP/2.

Sans I/O like `http2`, and with the same face to `https`.
"""

from __future__ import annotations

from collections.abc import Callable

import h11

from filterd.listen.http_dns import MAX_BODY, Request, Response, problem

MAX_HEADERS = 8192
OnRequest = Callable[[int, Request], None]


class Http1:
    """One connection; `dead` says when it has to be closed."""

    def __init__(self, write: Callable[[bytes], None], on_request: OnRequest) -> None:
        self._write = write
        self._on_request = on_request
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADERS)
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._begun: float | None = None
        self._number = 0
        self._waiting = self._reading = False
        self.dead = False

    @property
    def busy(self) -> bool:
        """Whether a request is coming or waits for its answer."""
        return self._begun is not None

    @property
    def crowded(self) -> bool:
        """Requests come one after the other: those behind the one that waits stay outside."""
        return self._waiting

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the client."""
        if self._begun is None:
            self._begun = now
        try:
            self._http.receive_data(octets)
            self._read()
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint or 400)

    def respond(self, number: int, response: Response) -> None:
        """Answer request `number`, unless it is no longer the one that waits."""
        if not self._waiting or number != self._number:
            return
        self._waiting, self._begun = False, None
        self._send(response)
        if self._http.our_state is h11.MUST_CLOSE:
            self.dead = True
            return
        try:
            self._http.start_next_cycle()
            if not self._reading:
                self._read()
        except h11.ProtocolError:
            self.dead = True

    def expire(self, before: float) -> None:
        """A request that began before this time and is not answered ends the connection."""
        if self._begun is not None and self._begun < before:
            self._refuse(503 if self._waiting else 408)

    def _read(self) -> None:
        """Take request after request; one that is answered at once does not nest the next."""
        self._reading = True
        try:
            self._take()
        finally:
            self._reading = False

    def _take(self) -> None:
        while not self._waiting and not self.dead:
            event = self._http.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                if self._http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    self._write(self._http.send(go_on))
                return
            if isinstance(event, h11.Request):
                self._request, self._body = event, bytearray()
                if _length(event) > MAX_BODY:
                    self._refuse(413)
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > MAX_BODY:
                    self._refuse(413)
            elif isinstance(event, h11.EndOfMessage):
                self._complete()
            else:
                self.dead = True

    def _complete(self) -> None:
        request = self._request
        if request is None:
            return
        self._number += 1
        self._waiting = True
        method, target = request.method.decode("latin-1"), request.target.decode("latin-1")
        media_type = _header(request, b"content-type")
        self._on_request(self._number, Request(method, target, media_type, bytes(self._body)))

    def _refuse(self, status: int) -> None:
        self.dead = True
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._send(problem(status), close=True)

    def _send(self, response: Response, *, close: bool = False) -> None:
        headers = [*response.headers, ("content-length", str(len(response.body)))]
        if close:
            headers.append(("connection", "close"))
        head = h11.Response(status_code=response.status, headers=headers)
        octets = self._http.send(head) or b""
        if self._request is None or self._request.method != b"HEAD":
            octets += self._http.send(h11.Data(data=response.body)) or b""
        self._write(octets + (self._http.send(h11.EndOfMessage()) or b""))


def _header(request: h11.Request, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in request.headers if key == name), "")


def _length(request: h11.Request) -> int:
    text = _header(request, b"content-length")
    return int(text) if text.isdigit() and len(text) < 10 else 0
