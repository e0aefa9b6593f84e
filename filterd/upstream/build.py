"""From the text of an upstream to something that can be asked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path

from filterd.upstream.attempt import Transport
from filterd.upstream.bootstrap import Bootstrap
from filterd.upstream.channel import Dial
from filterd.upstream.endpoint import Endpoint, Scheme, parse
from filterd.upstream.framed import Framed
from filterd.upstream.habits import Habits
from filterd.upstream.health import Health
from filterd.upstream.sockets import Sockets
from filterd.upstream.stream import Stream
from filterd.upstream.udp import Udp
from filterd.upstream.upstream import Upstream


class Builder:
    """What all upstreams of a pool share: the sockets, the trust store, the bootstrap."""

    def __init__(self, sockets: Sockets, ca_file: Path | None, plain: tuple[str, ...]) -> None:
        """`plain` are the resolvers that host names of encrypted upstreams are looked up with."""
        self._sockets = sockets
        self._ca_file = ca_file
        self._contexts: dict[tuple[str, bool], ssl.SSLContext] = {}
        self._dates_judged = True
        self._bootstrap = Bootstrap(tuple(self._plain(parse(text), Habits()) for text in plain))

    def upstream(self, text: str, zone: bytes | None) -> Upstream:
        """The upstream with its transport; nothing is connected before the first question."""
        endpoint, habits = parse(text), Habits()
        match endpoint.scheme:
            case Scheme.UDP | Scheme.TCP:
                transport = self._plain(endpoint, habits)
            case Scheme.TLS:
                make = partial(Framed, habits=habits, transport="dot")
                transport = Stream(self._secure(endpoint, "dot"), make, "dot")
            case Scheme.HTTPS:
                from filterd.upstream.https import Https  # h2 alone is a tenth of all imports

                open_https = partial(Https, habits=habits, endpoint=endpoint)
                transport = Stream(self._secure(endpoint, "h2"), open_https, "doh")
        return Upstream(endpoint, transport, habits, Health(), zone)

    def judge_dates(self, judged: bool) -> None:
        """Whether certificates have to be valid at this moment (`tls.judge_dates`)."""
        self._dates_judged = judged
        if self._contexts:
            from filterd.upstream import tls

            for each in self._contexts.values():
                tls.judge_dates(each, judged)

    async def close(self) -> None:
        """Close what the bootstrap holds."""
        await self._bootstrap.close()

    def _plain(self, endpoint: Endpoint, habits: Habits) -> Transport:
        address = endpoint.addresses[0]
        make = partial(Framed, habits=habits, transport="tcp")
        tcp = Stream(_plain_dial(address, endpoint.port), make, "tcp")
        if endpoint.scheme is Scheme.TCP:
            return tcp
        return Udp((address, endpoint.port), self._sockets, tcp, habits)

    def _secure(self, endpoint: Endpoint, alpn: str) -> Dial:
        from filterd.upstream.tls import context, judge_dates, tls_dial  # x509 is another tenth

        key = (alpn, bool(endpoint.pins) and not endpoint.named)
        if key not in self._contexts:
            self._contexts[key] = context(self._ca_file, alpn, pinned_only=key[1])
            judge_dates(self._contexts[key], self._dates_judged)
        return tls_dial(endpoint, self._contexts[key], self._bootstrap.lookup, alpn)


def _plain_dial(address: str, port: int) -> Dial:
    async def dial(factory: Callable[[], asyncio.BaseProtocol]) -> None:
        await asyncio.get_running_loop().create_connection(factory, address, port)

    return dial
