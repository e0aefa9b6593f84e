"""Server cookies (RFC 7873, RFC 9018): made, verified, and made anew when they are old or wrong.

Knows one secret that all workers share and the wall clock's seconds; knows no message.
"""

from __future__ import annotations

import hmac

from filterd.resolve.source import Source, unmapped
from filterd.wire import constants as c
from filterd.wire import edns

_FRESH_SECONDS = 1800
_BELIEVED_SECONDS = 3600
_AHEAD_SECONDS = 300


class Cookies:
    """`seconds` is the wall clock, set once a second; RFC 9018 §4.3 says what is believed: an
    hour of the past, five minutes of the future; what is older than half an hour is renewed."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.seconds = 0

    def proven(self, source: Source, sent: bytes) -> bool:
        """Whether the COOKIE option `sent` shows that the client gets what is sent to it."""
        if len(sent) != 24 or sent[8] != 1:
            return False
        if sent == source.cookie[1]:
            return self._believed(source.cookie[0])
        made_at = int.from_bytes(sent[12:16], "big")
        if not self._believed(made_at):
            return False
        right = self._made(source, sent[:8], made_at)
        if not hmac.compare_digest(right, sent):
            return False
        source.cookie = (made_at, right)
        return True

    def option(self, source: Source, sent: bytes) -> bytes:
        """The COOKIE option of a response; an empty `sent` has none.

        The same for half an hour, as its SipHash is the dearest step of a small answer.
        """
        if not sent:
            return b""
        self.proven(source, sent)
        made_at, kept = source.cookie
        if kept[:8] != sent[:8] or not 0 <= self.seconds - made_at < _FRESH_SECONDS:
            kept = self._made(source, sent[:8], self.seconds)
            source.cookie = (self.seconds, kept)
        return edns.option(c.OPTION_COOKIE, kept)

    def _believed(self, made_at: int) -> bool:
        return -_AHEAD_SECONDS <= self.seconds - made_at <= _BELIEVED_SECONDS

    def _made(self, source: Source, client: bytes, at: int) -> bytes:
        address = unmapped(source.address)
        return client + edns.server_cookie(client, address, self._secret, at)
