"""HTTP/2 on libnghttp2, where that is installed and the native part was built; else `http2`.

The native connection answers by itself what the memo knows; both keep the same limits, save that
only h2 grows with the number of requests and ends after many.
"""

from __future__ import annotations

from collections.abc import Callable

from filterd.listen.drain import COMPILED
from filterd.listen.http2 import Http2, OnRequest
from filterd.listen.http_dns import Request, Response
from filterd.resolve.memo import Memo

if COMPILED:
    from filterd.listen import _native

AVAILABLE = COMPILED and hasattr(_native, "Http2")


class NativeHttp2:
    """One connection, with the face of `http2.Http2`."""

    def __init__(
        self,
        write: Callable[[bytes], None],
        on_request: OnRequest,
        memo: Memo | None,
        client: bytes,
    ) -> None:
        """`client` is the peer in 16 octets, for whom `memo` is asked."""
        self._write = write
        self._on_request = on_request
        native = memo if isinstance(memo, _native.Memo) else None
        self._http = _native.Http2(native, client)
        self._reading = False
        self._push()

    @property
    def dead(self) -> bool:
        """Whether it has to be closed."""
        return self._http.dead

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return self._http.busy

    @property
    def crowded(self) -> bool:
        """Streams are bounded by number, and what they hold by size: nothing stays outside."""
        return False

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the client; one write for all that is answered at once."""
        self._reading = True
        for stream, *words, body in self._http.receive(octets, now):
            method, target, media_type = (word.decode("latin-1") for word in words)
            self._on_request(stream, Request(method, target, media_type, body))
        self._reading = False
        self._push()

    def respond(self, stream: int, response: Response) -> None:
        """Answer a request; nothing happens when the client has given it up."""
        headers = ((":status", str(response.status)), *response.headers)
        self._http.respond(stream, headers, response.body)
        if not self._reading:
            self._push()

    def expire(self, before: float) -> None:
        """Reset every request that began before this time and has no answer yet."""
        self._http.expire(before)
        self._push()

    def _push(self) -> None:
        if octets := self._http.take():
            self._write(octets)


def open_http2(
    write: Callable[[bytes], None], on_request: OnRequest, memo: Memo | None, client: bytes
) -> Http2 | NativeHttp2:
    """The connection of a client (16 octets), on the faster of the two."""
    if AVAILABLE:
        return NativeHttp2(write, on_request, memo, client)
    return Http2(write, on_request)
