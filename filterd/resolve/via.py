"""How a query came and how its answer goes back: the handler's only view of a listener."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from filterd.metrics import layout


@dataclass(frozen=True, slots=True)
class Via:
    """One way in. `send(response, token)` delivers a late answer, `token` as given
    to `try_answer`; `device` is the token of a DoT/DoH client.

    `keepalive` is the value of edns-tcp-keepalive in units of 100 ms (RFC 7828), None over UDP;
    `pad` is the block size to which a padding client's answer is filled (RFC 8467), 0: never.
    """

    transport: int
    send: Callable[[bytes, object], None]
    device: str | None = None
    keepalive: int | None = None
    pad: int = 0

    @property
    def stream(self) -> bool:
        """Whether messages are framed, so that 65,535 octets fit."""
        return self.transport != layout.UDP
