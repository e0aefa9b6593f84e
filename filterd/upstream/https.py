"""DNS over HTTPS to an upstream: HTTP/2, one stream per question (RFC 8484)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from filterd.errors import UpstreamError
from filterd.upstream.attempt import Arrival
from filterd.upstream.channel import Asked, Channel
from filterd.upstream.endpoint import Endpoint
from filterd.upstream.habits import Habits
from filterd.upstream.message import Fit, build, fit, padding_option
from filterd.upstream.scan import inspect
from filterd.wire import constants as iana

MEDIA_TYPE = "application/dns-message"
MAX_BODY = 65535


@dataclass(slots=True)
class _Response:
    status: str = ""
    media_type: str = ""
    body: bytearray = field(default_factory=bytearray)


class Https(Channel, asyncio.Protocol):
    """One HTTP/2 connection; the id is 0 towards the upstream (RFC 8484 §4.1)."""

    def __init__(self, gone: Callable[[Channel], None], habits: Habits, endpoint: Endpoint) -> None:
        super().__init__(gone)
        self._habits = habits
        authority = f"[{endpoint.name}]" if ":" in endpoint.name else endpoint.name
        if endpoint.port != 443:
            authority = f"{authority}:{endpoint.port}"
        self._headers = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", authority),
            (":path", endpoint.path),
            ("accept", MEDIA_TYPE),
            ("content-type", MEDIA_TYPE),
        ]
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self._responses: dict[int, _Response] = {}

    def data_received(self, data: bytes) -> None:
        """Feed HTTP/2 and act on what it says; a protocol error ends the connection."""
        try:
            events = self._http.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self.close(UpstreamError(f"HTTP/2: {error}", iana.EDE_INVALID))
            return
        for event in events:
            self._on_event(event)
        self._push()

    def forget(self, asked: Asked) -> None:
        """Reset the stream as well, so that the upstream need not answer any more."""
        if self._asked.get(asked.key) is asked:
            self._reset(asked.key)
        super().forget(asked)

    def _ready(self) -> None:
        self._http.initiate_connection()
        self._push()

    def _write(self, asked: Asked) -> None:
        name = asked.question.name_wire
        options = padding_option(12 + len(name) + 4 + 11)
        asked.query = build(asked.question, 0, name=name, options=options)
        try:
            asked.key = self._http.get_next_available_stream_id()
            length = ("content-length", str(len(asked.query)))
            self._http.send_headers(asked.key, [*self._headers, length])
            self._http.send_data(asked.key, asked.query, end_stream=True)
        except h2.exceptions.H2Error as error:
            # No stream left on this connection: the question goes to another one.
            asked.channel = None
            self.close(UpstreamError(f"HTTP/2: {error}"))
            asked.channel_lost(UpstreamError(f"HTTP/2: {error}"), fresh=False)
            return
        self._asked[asked.key] = asked
        self._responses[asked.key] = _Response()
        self._push()

    def _on_event(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self.close(UpstreamError("the upstream closed the HTTP/2 connection"))
            return
        stream = getattr(event, "stream_id", None)
        response = self._responses.get(stream) if stream else None
        if isinstance(event, h2.events.DataReceived):
            self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if stream is None or response is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            headers = dict(event.headers)
            response.status = _text(headers.get(b":status", b""))
            response.media_type = _text(headers.get(b"content-type", b""))
        elif isinstance(event, h2.events.DataReceived):
            response.body += event.data
            if len(response.body) > MAX_BODY:
                self._fail(stream, "a body beyond 64 KiB")
        elif isinstance(event, h2.events.StreamReset):
            self._fail(stream, "the stream was reset")
        elif isinstance(event, h2.events.StreamEnded):
            self._complete(stream, response)

    def _complete(self, stream: int, response: _Response) -> None:
        asked = self._asked.pop(stream, None)
        self._responses.pop(stream, None)
        if asked is None:
            return
        self._replied()
        if response.status != "200" or response.media_type.partition(";")[0] != MEDIA_TYPE:
            kind = response.media_type[:60] or "no media type"
            asked.finish(UpstreamError(f"HTTP status {response.status}, {kind}", iana.EDE_INVALID))
            return
        wire = bytes(response.body)
        facts = inspect(wire) if fit(asked.query, wire) in (Fit.GOOD, Fit.WRONG_CASE) else None
        if facts is None or facts.truncated:
            self._habits.malformed += 1
            asked.finish(UpstreamError("the reply does not fit the question", iana.EDE_INVALID))
            return
        asked.finish(Arrival(wire[: facts.end], facts, "doh"))

    def _fail(self, stream: int, reason: str) -> None:
        asked = self._asked.pop(stream, None)
        self._reset(stream)
        if asked is not None:
            asked.finish(UpstreamError(f"HTTP/2: {reason}", iana.EDE_INVALID))

    def _reset(self, stream: int) -> None:
        self._responses.pop(stream, None)
        try:
            self._http.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        except h2.exceptions.H2Error:
            return
        self._push()

    def _push(self) -> None:
        """Send what HTTP/2 wants to say."""
        octets = self._http.data_to_send()
        if octets and self._transport is not None and not self.closing:
            self._transport.write(octets)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
