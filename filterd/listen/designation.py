"""What filterd tells clients about its own encrypted endpoints (DDR: RFC 9462, RFC 9461; PURE).

A client that finds its resolver's designation moves to DoT or DoH there and stays filtered; one
that finds a wrong one is without DNS. So nothing is said unless the certificate is good.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from filterd.listen.http_dns import PATH


def designation(
    name: str, *, dot_port: int | None, doh_port: int | None, addresses: Iterable[str] = ()
) -> tuple[str, ...]:
    """SVCB values in presentation form for `_dns.resolver.arpa`, DoH first; () without either.

    `name` is what the certificate is valid for (the caller has made sure of it), `addresses` the
    box's own, given as hints so that the name need not be looked up first (RFC 9461 §6).
    """
    found = [ip_address(address) for address in addresses]
    hints = ""
    for version, key in ((4, "ipv4hint"), (6, "ipv6hint")):
        own = [str(one) for one in found if one.version == version and not one.is_unspecified]
        hints += f" {key}={','.join(own)}" if own else ""
    ways: list[str] = []
    if doh_port is not None:
        ways.append(f"alpn=h2,http/1.1 port={doh_port}{hints} key7={PATH}{{?dns}}")
    if dot_port is not None:
        ways.append(f"alpn=dot port={dot_port}{hints}")
    return tuple(f"{rank} {name}. {way}" for rank, way in enumerate(ways, 1))
