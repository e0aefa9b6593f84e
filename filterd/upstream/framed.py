"""DNS messages with their length in front, over TCP and over TLS (RFC 7766, RFC 7858)."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable

from filterd.upstream.attempt import Arrival
from filterd.upstream.channel import Asked, Channel
from filterd.upstream.habits import Habits
from filterd.upstream.message import (
    Fit,
    bare_refusal,
    build,
    cookie_option,
    fit,
    mix_case,
    padding_option,
)
from filterd.upstream.question import UpstreamQuestion
from filterd.upstream.scan import inspect
from filterd.wire import constants as iana


class Framed(Channel, asyncio.BufferedProtocol):
    """Pipelines questions and matches replies by id and question, in whatever order they come.

    `transport` is tcp or dot; over TLS queries are padded and carry neither cookie nor 0x20.
    """

    def __init__(self, gone: Callable[[Channel], None], habits: Habits, transport: str) -> None:
        super().__init__(gone)
        self._habits = habits
        self._name = transport
        self._buffer = bytearray(2 + 65535)
        self._filled = 0

    def get_buffer(self, sizehint: int) -> memoryview:
        """The rest of the frame buffer; a frame always fits."""
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Take every complete frame out of the buffer."""
        self._filled += nbytes
        start = 0
        while self._filled - start >= 2:
            length = self._buffer[start] << 8 | self._buffer[start + 1]
            if self._filled - start < 2 + length:
                break
            self._arrived(bytes(self._buffer[start + 2 : start + 2 + length]))
            start += 2 + length
        if start:
            rest = self._buffer[start : self._filled]
            self._buffer[: len(rest)] = rest
            self._filled = len(rest)

    def _write(self, asked: Asked) -> None:
        ident = int.from_bytes(os.urandom(2), "big")
        while ident in self._asked:
            ident = int.from_bytes(os.urandom(2), "big")
        asked.key = ident
        asked.query = self._compose(asked.question, ident)
        self._asked[ident] = asked
        if self._transport is not None:
            self._transport.write(struct.pack("!H", len(asked.query)) + asked.query)

    def _compose(self, question: UpstreamQuestion, ident: int) -> bytes:
        name, habits = question.name_wire, self._habits
        if self._name == "dot":
            options = padding_option(12 + len(name) + 4 + 11)
        else:
            options = cookie_option(habits.client_cookie, habits.server_cookie)
            name = mix_case(name, os.urandom(len(name))) if habits.keeps_case else name
        return build(question, ident, name=name, options=options, edns=habits.edns)

    def _arrived(self, wire: bytes) -> None:
        asked = self._asked.get(int.from_bytes(wire[:2], "big")) if len(wire) >= 12 else None
        if asked is None:
            return
        self._replied()
        habits, verdict, facts = self._habits, fit(asked.query, wire), inspect(wire)
        refused = facts is not None and facts.rcode in (iana.FORMERR, iana.NOTIMP)
        if habits.edns and (
            bare_refusal(asked.query, wire)
            or (refused and facts is not None and not facts.has_opt and verdict is Fit.GOOD)
        ):
            habits.edns = False
            self._again(asked)
        elif facts is None or facts.truncated or verdict not in (Fit.GOOD, Fit.WRONG_CASE):
            habits.malformed += 1
            asked.lied_to = True
        else:
            if verdict is Fit.WRONG_CASE:
                habits.keeps_case = False
            habits.server_cookie = _server_cookie(habits, facts.cookie)
            self.forget(asked)
            asked.finish(Arrival(wire[: facts.end], facts, self._name))

    def _again(self, asked: Asked) -> None:
        """Ask once more on this connection, now without EDNS."""
        self.forget(asked)
        asked.sent += 1
        self._write(asked)


def _server_cookie(habits: Habits, cookie: bytes | None) -> bytes:
    """What to send back next time; b"" when the upstream no longer does cookies."""
    if cookie is not None and cookie[:8] == habits.client_cookie and 16 <= len(cookie) <= 40:
        return cookie[8:]
    return b""
