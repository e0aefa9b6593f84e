"""How an upstream is written in the settings: one URL, one frozen value.

    udp://192.0.2.1            port 53, TCP on truncation (also without a scheme)
    tcp://[2001:db8::1]:53     TCP only
    tls://9.9.9.9#dns.quad9.net          DNS over TLS, the certificate must be for that name
    tls://dns.quad9.net                  the same; the name is looked up (bootstrap)
    https://dns.quad9.net/dns-query#ip=9.9.9.9   DNS over HTTPS; ip= avoids the look-up

After `#`, parts are divided by `;`: a name to verify, `ip=` addresses to connect to, and
`pin=` base64 SHA-256 of the public key (RFC 7858 §4.2), each `pin` or `ip` as often as needed.
Knows the text only: no look-up, no socket.
"""

from __future__ import annotations

import base64
import binascii
import enum
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit


class Scheme(enum.StrEnum):
    """The transports an upstream may be asked by."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"
    HTTPS = "https"


_PORT = {Scheme.UDP: 53, Scheme.TCP: 53, Scheme.TLS: 853, Scheme.HTTPS: 443}
_ENCRYPTED = {Scheme.TLS, Scheme.HTTPS}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an upstream is and who it has to be.

    `addresses` empty: `name` is looked up first. `name` is what the certificate is verified
    for (an address when nothing else was given). `pins` are digests of the public key; with
    pins and no name the pin alone decides (RFC 8310 §6.4 has it as a profile of its own).
    """

    text: str
    scheme: Scheme
    addresses: tuple[str, ...]
    port: int
    name: str = ""
    path: str = ""
    pins: tuple[bytes, ...] = ()
    named: bool = False


def parse(text: str) -> Endpoint:
    """Read one upstream; ValueError says what is wrong with it."""
    parts = urlsplit(text if "://" in text else f"udp://{_bracketed(text)}")
    try:
        scheme = Scheme(parts.scheme)
    except ValueError:
        known = ", ".join(f"{scheme}://" for scheme in Scheme)
        raise ValueError(f"{text!r}: the scheme must be one of {known}") from None
    host, port = parts.hostname or "", _PORT[scheme] if parts.port is None else parts.port
    if not host or not port or parts.username is not None or parts.query:
        raise ValueError(f"{text!r}: write it as {scheme}://address[:port]")
    name, addresses, pins = _fragment(text, parts)
    if scheme not in _ENCRYPTED and (parts.fragment or parts.path.strip("/")):
        raise ValueError(f"{text!r}: {scheme}:// takes an address and a port, nothing else")
    if _is_address(host):
        addresses = (host, *addresses)
    elif scheme not in _ENCRYPTED:
        raise ValueError(f"{text!r}: {scheme}:// needs an IP address, not a host name")
    elif name:
        raise ValueError(f"{text!r}: the name to verify is already the host name")
    if scheme is Scheme.TLS and parts.path.strip("/"):
        raise ValueError(f"{text!r}: tls:// takes no path")
    named = bool(name) or not _is_address(host)
    path = (parts.path or "/dns-query") if scheme is Scheme.HTTPS else ""
    return Endpoint(text, scheme, addresses, port, name or host, path, pins, named)


def _fragment(text: str, parts: SplitResult) -> tuple[str, tuple[str, ...], tuple[bytes, ...]]:
    name, addresses, pins = "", [], []
    for piece in filter(None, parts.fragment.split(";")):
        key, sign, value = piece.partition("=")
        if not sign and not name:
            name = key.lower().rstrip(".")
        elif key == "ip" and _is_address(value):
            addresses.append(value)
        elif key == "pin":
            pins.append(_pin(text, value))
        else:
            raise ValueError(f"{text!r}: {piece!r} is neither a name nor ip=ADDRESS nor pin=DIGEST")
    return name, tuple(addresses), tuple(pins)


def _pin(text: str, value: str) -> bytes:
    try:
        digest = base64.b64decode(value, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != 32:
        raise ValueError(f"{text!r}: a pin is the base64 form of a SHA-256 digest (44 characters)")
    return digest


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _bracketed(text: str) -> str:
    """A bare IPv6 address needs its brackets before it is part of a URL."""
    return f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text
