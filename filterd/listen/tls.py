"""DNS over TLS for clients: the certificate in front of the same streams as plain TCP (RFC 7858).

Owns the device token of the server name; the handshake is `carrier`'s, frames and limits of a
stream are `tcp`'s.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Protocol

from filterd.listen.accept import Serve
from filterd.listen.certificate import Certificate, server_name
from filterd.metrics import layout
from filterd.resolve.memo import Memo

ALPN = "dot"


class Streams(Protocol):
    """What of `tcp.StreamServer` is used by the encrypted listeners."""

    memo: Memo | None

    async def serve(
        self,
        accepted: socket.socket,
        address: bytes,
        transport: int,
        context: ssl.SSLContext | None,
        device_of: Callable[[ssl.SSLObject | None], str | None] | None,
    ) -> None:
        """Answer on this connection until it ends; returns with it closed."""


def dot_server(streams: Streams, certificate: Certificate) -> Serve:
    """What an `Acceptor` does with each client of a DoT socket."""
    context = certificate.context(ALPN)

    def device_of(tls: ssl.SSLObject | None) -> str | None:
        return certificate.device(server_name(tls))

    async def serve(accepted: socket.socket, client: bytes) -> None:
        await streams.serve(accepted, client, layout.DOT, context, device_of)

    return serve
