"""The encrypted listeners of one worker: one certificate, one count of connections, DoT and DoH.

Owns the acceptors and the watch over the certificate's files. The sockets belong to whoever
opened them; answers come from the handler and, for DoT, through the streams of `tcp`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filterd.listen.accept import Acceptor, Gate
from filterd.listen.certificate import Certificate
from filterd.listen.designation import designation
from filterd.listen.frames import Answerer
from filterd.listen.https import https_server
from filterd.listen.tls import Streams, dot_server

REFRESH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Sockets:
    """Bound, listening sockets as the supervisor passed them on."""

    dot: Sequence[socket.socket] = ()
    doh: Sequence[socket.socket] = ()


class Encrypted:
    """Serves until `close`; new connections use the certificate that the files hold now."""

    def __init__(
        self,
        files: tuple[Path, Path],
        sockets: Sockets,
        handler: Answerer,
        streams: Streams,
        gate: Gate | None = None,
    ) -> None:
        """`files` are certificate and key; raises ConfigError when they cannot be used."""
        self.gate = Gate() if gate is None else gate
        self.certificate = Certificate(*files)
        self._sockets = sockets
        self._acceptors: list[Acceptor] = []
        if sockets.dot:
            serve = dot_server(streams, self.certificate)
            self._acceptors += [Acceptor(one, self.gate, serve) for one in sockets.dot]
        if sockets.doh:
            serve = https_server(handler, self.certificate, streams.memo)
            self._acceptors += [Acceptor(one, self.gate, serve) for one in sockets.doh]
        self._loop = asyncio.get_running_loop()
        self._refresh = self._loop.call_later(REFRESH_SECONDS, self._on_refresh)

    def designation(self) -> tuple[str, ...]:
        """The SVCB values for `_dns.resolver.arpa`; () unless the certificate is valid now.

        The name is the first of the certificate that is neither a wildcard nor an address.
        """
        names = [name for name in sorted(self.certificate.names) if not _is_address(name)]
        named = next((name for name in names if not name.startswith("*.")), None)
        if named is None or not self.certificate.covers(named):
            return ()
        everywhere = [*self._sockets.dot, *self._sockets.doh]
        return designation(
            named,
            dot_port=_port(self._sockets.dot),
            doh_port=_port(self._sockets.doh),
            addresses=sorted({str(one.getsockname()[0]) for one in everywhere}),
        )

    async def close(self) -> None:
        """Stop accepting and end every connection."""
        self._refresh.cancel()
        for acceptor in self._acceptors:
            await acceptor.close()

    def _on_refresh(self) -> None:
        self.certificate.refresh()
        self._refresh = self._loop.call_later(REFRESH_SECONDS, self._on_refresh)


def _port(sockets: Sequence[socket.socket]) -> int | None:
    return int(sockets[0].getsockname()[1]) if sockets else None


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()
