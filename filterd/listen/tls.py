"""DNS over TLS for clients: the certificate in front of the same streams as plain TCP (RFC 7858).

Owns the handshake and the device token of the server name; frames and limits of a stream are
`tcp`'s.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Protocol, cast

from filterd.listen.accept import Serve, cut, secured
from filterd.listen.certificate import Certificate, server_name
from filterd.metrics import layout

ALPN = "dot"
READ_BYTES = 131_072


class Streams(Protocol):
    """What of `tcp.StreamServer` is used here."""

    async def serve_stream(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        address: bytes,
        transport: int,
        device: str | None = None,
    ) -> None:
        """Answer on this connection until it ends, then close it."""


def dot_server(streams: Streams, certificate: Certificate) -> Serve:
    """What an `Acceptor` does with each client of a DoT socket."""
    context = certificate.context(ALPN)

    async def serve(accepted: socket.socket, client: bytes) -> None:
        reader = asyncio.StreamReader(limit=READ_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport = await secured(protocol, accepted, context)
        writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
        session = cast(ssl.SSLObject, transport.get_extra_info("ssl_object"))
        device = certificate.device(server_name(session))
        try:
            await streams.serve_stream(reader, writer, client, layout.DOT, device)
        finally:
            cut(transport)

    return serve
