"""SVCB and HTTPS RDATA (RFC 9460 §2.2): target, address hints, removal of parameters.

Pure reading and writing of one RDATA; what is allowed is judged elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

from filterd.errors import WireError
from filterd.wire import constants as c


class Service(NamedTuple):
    """One parsed RDATA. `target` is a wire name; b"\\0" means the owner itself (§2.5)."""

    priority: int
    target: bytes
    params: tuple[tuple[int, bytes], ...]

    def addresses(self) -> tuple[bytes, ...]:
        """Packed addresses of ipv4hint and ipv6hint, in that order."""
        found: list[bytes] = []
        for key, value in self.params:
            width = _HINT_WIDTH.get(key)
            if width is not None:
                found += [value[at : at + width] for at in range(0, len(value), width)]
        return tuple(found)

    def without(self, keys: frozenset[int]) -> Service:
        """The same service without these parameters, also out of its `mandatory` list (§8)."""
        kept: list[tuple[int, bytes]] = []
        for key, value in self.params:
            if key == 0:
                pairs = [value[at : at + 2] for at in range(0, len(value), 2)]
                value = b"".join(p for p in pairs if int.from_bytes(p, "big") not in keys)
            if key not in keys and (value or key != 0):
                kept.append((key, value))
        return Service(self.priority, self.target, tuple(kept))

    def rdata(self) -> bytes:
        """Wire form."""
        params = b"".join(
            key.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
            for key, value in self.params
        )
        return self.priority.to_bytes(2, "big") + self.target + params


_MOST_PARAMS = 64
"""Ten keys exist (RFC 9460 §14.3.2, RFC 9461, RFC 9540); 15,890 fit into a message: 50 ms."""
_HINT_WIDTH = {c.SVC_IPV4HINT: 4, c.SVC_IPV6HINT: 16}


def parse(rdata: bytes) -> Service:
    """The service in `rdata`; WireError if malformed, unordered, or with impossible hints."""
    position = 2
    while position < len(rdata) and 0 < rdata[position] < 64:
        position += rdata[position] + 1
    if position >= len(rdata) or rdata[position] or position > 256:
        raise WireError(c.SERVFAIL, "a TargetName that does not end")
    target = rdata[2 : position + 1]
    position += 1
    params: list[tuple[int, bytes]] = []
    while position < len(rdata):
        key = int.from_bytes(rdata[position : position + 2], "big")
        start = position + 4
        position = start + int.from_bytes(rdata[position + 2 : start], "big")
        if position > len(rdata) or (params and key <= params[-1][0]):
            raise WireError(c.SERVFAIL, "SvcParams that do not fit or are out of order")
        if len(params) == _MOST_PARAMS:
            raise WireError(c.SERVFAIL, "more SvcParams than there are keys")
        value = rdata[start:position]
        width = _HINT_WIDTH.get(key)
        if width is not None and (not value or len(value) % width):
            raise WireError(c.SERVFAIL, "an address hint of impossible length")
        params.append((key, value))
    return Service(int.from_bytes(rdata[:2], "big"), target, tuple(params))
