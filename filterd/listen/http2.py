"""HTTP/2 of a DoH client: streams in, streams out, everything that can grow has a cap.

Sans I/O: octets come in by `receive`, go out by `write`. Knows no DNS.
"""

from __future__ import annotations

from collections.abc import Callable

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from filterd.listen.http_dns import MAX_BODY, Request, Response, problem

MAX_STREAMS = 100
MAX_HEADERS = 8192
MAX_RESETS = 100
"""Streams a client may open and reset without waiting (rapid reset, CVE-2023-44487)."""
MAX_HELD = 262_144
"""Octets of answers that wait for a client's flow control window."""
MAX_REQUESTS = 20_000

OnRequest = Callable[[int, Request], None]


class Incoming:
    """A request whose body is still coming."""

    __slots__ = ("begun", "body", "media_type", "method", "target")

    def __init__(self, headers: dict[bytes, bytes], begun: float) -> None:
        self.method = _text(headers.get(b":method", b""))
        self.target = _text(headers.get(b":path", b""))
        self.media_type = _text(headers.get(b"content-type", b""))
        self.body = bytearray()
        self.begun = begun


class Http2:
    """One connection. Raises nothing: `dead` says when it has to be closed."""

    def __init__(self, write: Callable[[bytes], None], on_request: OnRequest) -> None:
        self._write = write
        self._on_request = on_request
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self._http.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 2 * MAX_BODY,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADERS,
            },
        )
        self._http.decoder.max_header_list_size = MAX_HEADERS
        self._incoming: dict[int, Incoming] = {}
        self._waiting: dict[int, float] = {}
        self._held: dict[int, bytes] = {}
        self._resets = self._requests = 0
        self._now = 0.0
        self.dead = False
        self._http.initiate_connection()
        self._push()

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self._incoming or self._waiting or self._held)

    @property
    def crowded(self) -> bool:
        """Streams are bounded by number, and what they hold by size: nothing stays outside."""
        return False

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the client."""
        self._now = now
        try:
            for event in self._http.receive_data(octets):
                self._on_event(event)
        except h2.exceptions.ProtocolError:
            self.dead = True
        self._push()

    def respond(self, stream: int, response: Response) -> None:
        """Answer a request; nothing happens when the client has given it up."""
        if self._waiting.pop(stream, None) is None:
            return
        headers = [(":status", str(response.status)), *response.headers]
        headers.append(("content-length", str(len(response.body))))
        try:
            self._http.send_headers(stream, headers, end_stream=not response.body)
        except h2.exceptions.ProtocolError:
            return
        if response.body:
            self._held[stream] = response.body
            self._release(stream)
        self._push()

    def expire(self, before: float) -> None:
        """Reset every request that began before this time and has no whole answer yet."""
        late = [stream for stream, one in self._incoming.items() if one.begun < before]
        late += [stream for stream, begun in self._waiting.items() if begun < before]
        for stream in late:
            self._reset(stream, h2.errors.ErrorCodes.CANCEL)
        self._push()

    def _on_event(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                self._open(event)
            case h2.events.DataReceived():
                self._add(event)
            case h2.events.StreamEnded():
                self._complete(event.stream_id)
            case h2.events.StreamReset():
                self._forget(event.stream_id)
                self._resets += 1
            case h2.events.WindowUpdated():
                for stream in [event.stream_id] if event.stream_id else list(self._held):
                    self._release(stream)
            case h2.events.ConnectionTerminated():
                self.dead = True
        if self._resets > MAX_RESETS:
            self.dead = True

    def _open(self, event: h2.events.RequestReceived) -> None:
        self._requests += 1
        if self._requests > MAX_REQUESTS:
            self.dead = True
            return
        headers = dict(event.headers or ())
        self._incoming[event.stream_id] = Incoming(headers, self._now)
        length = _text(headers.get(b"content-length", b"0"))
        if not length.isdigit() or len(length) > 9 or int(length) > MAX_BODY:
            self._refuse(event.stream_id, 413)

    def _add(self, event: h2.events.DataReceived) -> None:
        self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        incoming = self._incoming.get(event.stream_id)
        if incoming is None:
            return
        incoming.body += event.data
        if len(incoming.body) > MAX_BODY:
            self._refuse(event.stream_id, 413)

    def _complete(self, stream: int) -> None:
        incoming = self._incoming.pop(stream, None)
        if incoming is None:
            return
        self._resets = max(0, self._resets - 1)
        self._waiting[stream] = self._now
        body = bytes(incoming.body)
        self._on_request(
            stream, Request(incoming.method, incoming.target, incoming.media_type, body)
        )

    def _refuse(self, stream: int, status: int) -> None:
        """Answer before the body has come and want no more of it."""
        self._incoming.pop(stream, None)
        self._waiting[stream] = self._now
        self.respond(stream, problem(status))
        self._reset(stream, h2.errors.ErrorCodes.NO_ERROR)

    def _release(self, stream: int) -> None:
        """Send as much of a held answer as the client's window takes."""
        body = self._held.pop(stream, b"")
        while body:
            try:
                room = self._http.local_flow_control_window(stream)
                size = min(len(body), room, self._http.max_outbound_frame_size)
                if size <= 0:
                    break
                self._http.send_data(stream, body[:size], end_stream=size == len(body))
            except h2.exceptions.ProtocolError:
                return
            body = body[size:]
        if body:
            self._held[stream] = body
            self.dead = self.dead or sum(map(len, self._held.values())) > MAX_HELD

    def _reset(self, stream: int, code: h2.errors.ErrorCodes) -> None:
        self._forget(stream)
        try:
            self._http.reset_stream(stream, code)
        except h2.exceptions.ProtocolError:
            return

    def _forget(self, stream: int) -> None:
        self._incoming.pop(stream, None)
        self._waiting.pop(stream, None)
        self._held.pop(stream, None)

    def _push(self) -> None:
        octets = self._http.data_to_send()
        if octets:
            self._write(octets)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
