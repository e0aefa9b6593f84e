"""The wire between two boxes: TLS 1.3 in which each shows the certificate that the other one has.

One exchange: the asking box says in a line which version it has; the other sends its signed policy,
or nothing when that is not newer. No authority, no names, no dates: the certificates are made of
the boxes' own keys, and a box without a clock must be able to ask.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from filterd.gateway.pair import LIMIT_BYTES, PairError, Version

SECONDS = 5.0
CERTIFICATE = "pair.crt"
_LINE = re.compile(rb"([0-9]{1,16}) ([0-9a-f]{64})\n")
_MOST_AT_ONCE = 4
Serve = Callable[[Version], Awaitable[bytes]]


def make_certificate(key: Ed25519PrivateKey, folder: Path) -> Path:
    """The certificate of this box beside its key: the same bytes each time, so it can be pinned."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"filterd {public.hex()[:16]}")])
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(public[:16], "big") >> 1 | 1)
        .not_valid_before(datetime(1970, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(9999, 12, 31, tzinfo=UTC))  # RFC 5280 §4.1.2.5: no end
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage(uses), False)
        .sign(key, None)
    )
    path = folder / CERTIFICATE
    pem = made.public_bytes(Encoding.PEM)
    if not path.exists() or path.read_bytes() != pem:
        fresh = path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(pem)
        fresh.replace(path)
    return path


def public_of(certificate: Path) -> bytes:
    """The other box's key (raw, 32 octets) in its certificate; PairError when there is none."""
    try:
        key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    except FileNotFoundError:
        raise PairError(
            f"{certificate} is missing: the other box's certificate goes there"
        ) from None
    except (OSError, ValueError) as error:
        raise PairError(f"{certificate}: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise PairError(f"{certificate} is not the certificate of a filterd box")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def context(server: bool, own: tuple[Path, Path], other: Path) -> ssl.SSLContext:
    """TLS with our certificate and key, for nobody but the holder of the `other` certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    made.load_cert_chain(*own)
    made.load_verify_locations(other)
    return made


async def fetch(host: str, port: int, tls: ssl.SSLContext, have: Version) -> bytes:
    """What the other box sends; b"" when it has nothing newer. OSError, TimeoutError, PairError."""
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=LIMIT_BYTES)
        try:
            writer.write(f"{have.generation} {have.hash}\n".encode())
            await writer.drain()
            head = await reader.readline()
            if not head.strip().isdigit() or int(head) > LIMIT_BYTES:
                raise PairError("the other box does not speak like one")
            return await reader.readexactly(int(head))
        except asyncio.IncompleteReadError:
            raise PairError("the other box broke off") from None
        finally:
            writer.close()


class Door:
    """Answers the other box; whoever has no pinned certificate gets no further than TLS."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._open = 0
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int, tls: ssl.SSLContext) -> int:
        """Listen; the port (0: the kernel's choice). Raises OSError."""
        self._server = await asyncio.start_server(
            self._answer, host, port, ssl=tls, limit=4096, ssl_handshake_timeout=SECONDS
        )
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Take no more connections."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            async with asyncio.timeout(SECONDS):
                match = _LINE.fullmatch(await reader.readline())
                if match is not None and self._open <= _MOST_AT_ONCE:
                    body = await self._serve(Version(int(match[1]), match[2].decode()))
                    writer.write(f"{len(body)}\n".encode() + body)
                    await writer.drain()
        except (OSError, TimeoutError, ValueError):
            pass
        finally:
            self._open -= 1
            writer.close()
