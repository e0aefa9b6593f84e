"""The wire between two boxes: TLS 1.3 in which each shows the certificate that the other one has.

One exchange: the asking box says in a line which version it has of what (the policy, `lists`,
`office`); the other sends its own signed, or nothing when that is not newer. `piece` asks for a
file by its place and digest. No authority, no names, no dates: the certificates are made of the
boxes' own keys, and a box without a clock must be able to ask.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from filterd import whole_files
from filterd.gateway.pair import LIMIT_BYTES, PairError, Version

SECONDS = 5.0
CERTIFICATE = "pair.crt"
PIECE_SECONDS = 600.0
"""A list of 256 MiB over a line of 4 Mbit/s; a box that is killed ends the exchange at once."""
POLICY, LISTS, OFFICE = "", "lists", "office"
_LINE = re.compile(rb"(?:([a-z]{1,16}) )?([0-9]{1,16}) ([0-9a-f]{64})\n")
_PIECE = re.compile(rb"piece ([\x21-\x7e]{1,300}) ([0-9a-f]{24})\n")
_MOST_AT_ONCE = 4
_STEP_BYTES = 256 << 10
Serve = Callable[[Version], Awaitable[bytes]]
Find = Callable[[str, str], Path | None]
"""The file of a piece (place, digest), or None."""


@dataclass(frozen=True, slots=True)
class Other:
    """Where the other box is, and what it must show."""

    host: str
    port: int
    tls: ssl.SSLContext


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
        whole_files.replace(path, pem, mode=0o600)
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


async def fetch(other: Other, have: Version, what: str = POLICY) -> bytes:
    """What the other box sends; b"" when it has nothing newer. OSError, TimeoutError, PairError."""
    line = f"{what} {have.generation} {have.hash}\n".lstrip()
    async with asyncio.timeout(SECONDS), _asked(other, line) as (reader, size):
        if size > LIMIT_BYTES:
            raise PairError("the other box does not speak like one")
        return await reader.readexactly(size)


async def fetch_piece(other: Other, path: str, digest: str, into: Path) -> None:
    """A file of the other box, written to `into`; the caller holds it against the digest. OSError,
    TimeoutError, PairError: it has that file no longer."""
    async with (
        asyncio.timeout(PIECE_SECONDS),
        _asked(other, f"piece {path} {digest}\n") as (reader, size),
    ):
        with into.open("wb") as out:
            while size > 0:
                step = await reader.readexactly(min(size, _STEP_BYTES))
                await asyncio.to_thread(out.write, step)
                size -= len(step)


@contextlib.asynccontextmanager
async def _asked(other: Other, line: str) -> AsyncIterator[tuple[asyncio.StreamReader, int]]:
    """One question on a connection of its own: the reader before the answer, and its size."""
    reader, writer = await asyncio.open_connection(
        other.host, other.port, ssl=other.tls, limit=_STEP_BYTES
    )
    try:
        writer.write(line.encode("ascii"))
        await writer.drain()
        head = await reader.readline()
        if not head.strip().isdigit():
            raise PairError("the other box does not speak like one: is it of this release?")
        yield reader, int(head)
    except asyncio.IncompleteReadError:
        raise PairError("the other box broke off") from None
    finally:
        writer.close()


class Door:
    """Answers the other box; whoever has no pinned certificate gets no further than TLS."""

    def __init__(
        self, serve: Mapping[str, Serve], find: Find = lambda _path, _digest: None
    ) -> None:
        self._serve, self._find = serve, find
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
                line = await reader.readline()
            if self._open <= _MOST_AT_ONCE:
                await self._reply(line, writer)
        except (OSError, TimeoutError, ValueError):
            pass
        finally:
            self._open -= 1
            writer.close()

    async def _reply(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        if match := _PIECE.fullmatch(line):
            async with asyncio.timeout(PIECE_SECONDS):
                path, digest = (each.decode("ascii") for each in match.groups())
                await _send(writer, await asyncio.to_thread(self._find, path, digest))
        elif match := _LINE.fullmatch(line):
            async with asyncio.timeout(SECONDS):
                serve = self._serve.get((match[1] or b"").decode())
                if serve is not None:
                    body = await serve(Version(int(match[2]), match[3].decode()))
                    writer.write(f"{len(body)}\n".encode() + body)
                    await writer.drain()


async def _send(writer: asyncio.StreamWriter, path: Path | None) -> None:
    if path is None:
        return
    with path.open("rb") as file:
        writer.write(f"{os.fstat(file.fileno()).st_size}\n".encode())
        while step := await asyncio.to_thread(file.read, _STEP_BYTES):
            writer.write(step)
            await writer.drain()
