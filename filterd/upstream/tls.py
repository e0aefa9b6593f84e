"""TLS towards upstreams: who they must prove to be, and no way back to plain text.

Strict profile of RFC 8310 only: a certificate for the configured name (or address), a pinned
public key, or both; anything else is no connection. A certificate's dates are judged by a clock
that is believed: without it a box that starts in 1970 could never ask for its time servers.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from filterd import RELEASED
from filterd.errors import UpstreamError
from filterd.upstream.channel import Dial
from filterd.upstream.endpoint import Endpoint
from filterd.wire import constants as iana

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h; the ssl module does not name it."""
Lookup = Callable[[str], Awaitable[tuple[str, ...]]]
"""Addresses of a host name; raises UpstreamError."""


def context(ca_file: Path | None, alpn: str, *, pinned_only: bool) -> ssl.SSLContext:
    """TLS ≥ 1.2 with certificate and name checked, unless a pin alone decides."""
    made = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols([alpn])
    if pinned_only:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def judge_dates(trust: ssl.SSLContext, judged: bool) -> None:
    """Whether connections made from now on need certificates that are valid at this moment; if
    not, the chain, the name and the pins are held as ever."""
    flags = int(trust.verify_flags) & ~_NO_CHECK_TIME
    trust.verify_flags = ssl.VerifyFlags(flags | (0 if judged else _NO_CHECK_TIME))


def key_digest(certificate: bytes) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo of a DER certificate (RFC 7858 §4.2, RFC 7469 §2.4)."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    return hashlib.sha256(
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).digest()


def tls_dial(endpoint: Endpoint, trust: ssl.SSLContext, lookup: Lookup, alpn: str) -> Dial:
    """Connects to the first address that answers and checks ALPN and pins before any question."""

    async def dial(factory: Callable[[], asyncio.BaseProtocol]) -> None:
        addresses = endpoint.addresses or await lookup(endpoint.name)
        failure: UpstreamError | None = None
        for address in addresses:
            try:
                await _connect(endpoint, trust, factory, address, alpn)
            except ssl.SSLCertVerificationError as error:
                raise UpstreamError(
                    f"{endpoint.name}: certificate refused: {error.verify_message}",
                    iana.EDE_NETWORK,
                ) from error
            except OSError as error:
                reason = error.strerror or str(error)
                failure = UpstreamError(f"{address}: {reason}", iana.EDE_NETWORK)
            else:
                return
        raise failure or UpstreamError(f"{endpoint.name} has no address", iana.EDE_NETWORK)

    return dial


async def _connect(
    endpoint: Endpoint,
    trust: ssl.SSLContext,
    factory: Callable[[], asyncio.BaseProtocol],
    address: str,
    alpn: str,
) -> None:
    loop = asyncio.get_running_loop()
    transport, _protocol = await loop.create_connection(
        factory, address, endpoint.port, ssl=trust, server_hostname=endpoint.name
    )
    session = transport.get_extra_info("ssl_object")
    problem = _problem(endpoint, session, alpn) or _outlived(session, trust)
    if problem:
        transport.abort()
        raise UpstreamError(f"{endpoint.name}: {problem}", iana.EDE_NETWORK)


def _problem(endpoint: Endpoint, session: ssl.SSLObject, alpn: str) -> str | None:
    """What is wrong with whom we reached, None if nothing; DoT servers may not speak ALPN."""
    chosen = session.selected_alpn_protocol()
    if chosen != alpn and (chosen is not None or alpn == "h2"):
        return f"speaks {chosen or 'no ALPN'}, not {alpn}"
    if not endpoint.pins:
        return None
    digest = key_digest(session.getpeercert(binary_form=True) or b"")
    if any(hmac.compare_digest(digest, pin) for pin in endpoint.pins):
        return None
    return "the public key is none of the pinned ones"


def _outlived(session: ssl.SSLObject, trust: ssl.SSLContext) -> str | None:
    """Where no clock tells the date it is at least known to be after this release."""
    if trust.verify_mode is ssl.CERT_NONE or not trust.verify_flags & _NO_CHECK_TIME:
        return None
    ends = str((session.getpeercert() or {}).get("notAfter", ""))
    if ends and ssl.cert_time_to_seconds(ends) >= RELEASED.timestamp():
        return None
    return "the certificate had expired before this filterd was released"
