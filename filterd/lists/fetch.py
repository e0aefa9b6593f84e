"""Fetching one list: conditional GET over verified TLS, into a file, with every cap there is.

Blocking, for a thread. Nothing is unpacked here: what came is stored as it came, `reader` unpacks
it under its own caps. Proxies of the environment are not used.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import SplitResult, urljoin, urlsplit

from filterd.errors import ListError
from filterd.lists.netguard import Place, places

MAX_REDIRECTS = 3
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Limits:
    """`idle` seconds without an octet, `whole` seconds and `bytes` for everything."""

    bytes: int = 256 << 20
    idle: float = 30.0
    whole: float = 900.0


@dataclass(frozen=True, slots=True)
class Access:
    """What a fetch may do; the defaults are for production. `loopback` is for tests."""

    plain_http: bool = False
    loopback: bool = False
    tls: ssl.SSLContext | None = None
    limits: Limits = field(default_factory=Limits)

    def with_authorities(self) -> Access:
        """This access with the authorities that the system trusts now, to be used many times."""
        return self if self.tls is not None else replace(self, tls=ssl.create_default_context())


@dataclass(frozen=True, slots=True)
class Known:
    """What the last fetch of this very URL said, for a conditional request."""

    etag: str | None = None
    modified: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A body that came whole; `size` octets are in the file that was named."""

    url: str
    etag: str | None
    modified: str | None
    content_type: str
    size: int


Progress = Callable[[int, int | None], None]
"""Octets so far, and in all if the server said so."""


def fetch(
    url: str, into: Path, known: Known, access: Access, progress: Progress | None = None
) -> Fetched | None:
    """Fetch `url` into a new file; None when it has not changed. ListError says why not.

    The file is complete and synced, or it does not exist.
    """
    deadline = time.monotonic() + access.limits.whole
    try:
        current = url
        for _ in range(MAX_REDIRECTS + 1):
            answer = _request(current, known, access)
            try:
                if answer.response.status in _REDIRECTS:
                    current = _next(current, answer.response, access)
                    known = replace(known, etag=None, modified=None)
                    continue
                return _body(current, answer, into, (access.limits, deadline, progress))
            finally:
                answer.close()
        raise ListError(f"{url}: more than {MAX_REDIRECTS} redirects")
    except (OSError, http.client.HTTPException) as error:
        into.unlink(missing_ok=True)
        raise ListError(f"{url}: {_reason(error)}") from None
    except ListError:
        into.unlink(missing_ok=True)
        raise


@dataclass(frozen=True, slots=True)
class _Answer:
    response: http.client.HTTPResponse
    connection: http.client.HTTPConnection

    def close(self) -> None:
        self.response.close()
        self.connection.close()


class _Pinned(http.client.HTTPConnection):
    """An HTTP(S) connection to an address that was checked; the name is for TLS and Host only."""

    def __init__(self, host: str, port: int, place: Place, tls: ssl.SSLContext | None) -> None:
        self._place = place
        self._tls = tls
        super().__init__(host, port)

    def connect(self) -> None:
        """Connect to the checked address, never to what the name says now."""
        plain = socket.socket(self._place.family, socket.SOCK_STREAM)
        try:
            plain.settimeout(self.timeout)
            plain.connect(self._place.address)
            self.sock = (
                plain
                if self._tls is None
                else self._tls.wrap_socket(plain, server_hostname=self.host)
            )
        except BaseException:
            plain.close()
            raise


def _request(url: str, known: Known, access: Access) -> _Answer:
    parts = checked(url, access)
    tls = None
    if parts.scheme == "https":
        tls = access.with_authorities().tls
    port = parts.port or (443 if tls else 80)
    host = parts.hostname or ""
    error: OSError | None = None
    for place in places(host, port, access.loopback):
        connection = _Pinned(host, port, place, tls)
        connection.timeout = access.limits.idle
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers=_headers(parts, port, known))
            return _Answer(connection.getresponse(), connection)
        except ssl.SSLCertVerificationError:
            connection.close()
            raise
        except OSError as failed:
            connection.close()
            error = failed
    raise error if error is not None else ListError(f"{url}: no address")


def _headers(parts: SplitResult, port: int, known: Known) -> dict[str, str]:
    standard = {"https": 443, "http": 80}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    headers = {
        "Host": host if port == standard else f"{host}:{port}",
        "User-Agent": "filterd (DNS filter of a school)",
        "Accept-Encoding": "gzip",
        "Accept": "*/*",
    }
    if known.etag:
        headers["If-None-Match"] = known.etag
    if known.modified:
        headers["If-Modified-Since"] = known.modified
    return headers


def checked(url: str, access: Access) -> SplitResult:
    """The parts of an address that may be fetched; ListError for every other scheme."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ListError(f"{url[:200]}: {error}") from None
    allowed = ("https", "http") if access.plain_http else ("https",)
    if parts.scheme not in allowed or not parts.hostname or parts.username or parts.password:
        raise ListError(f"{url[:200]}: only {' and '.join(allowed)} addresses of hosts are fetched")
    return parts


def _next(url: str, response: http.client.HTTPResponse, access: Access) -> str:
    target = response.getheader("Location")
    if not target:
        raise ListError(f"{url}: a redirect to nowhere")
    following = urljoin(url, target)
    checked(following, access)
    if url.startswith("https:") and not following.startswith("https:"):
        raise ListError(f"{url}: redirects from https to http")
    return following


def _body(
    url: str, answer: _Answer, into: Path, bounds: tuple[Limits, float, Progress | None]
) -> Fetched | None:
    response = answer.response
    if response.status == 304:
        return None
    if response.status != 200:
        raise ListError(f"{url}: HTTP {response.status} {response.reason}")
    length = response.getheader("Content-Length")
    expected = int(length) if length is not None and length.isdigit() else None
    limits, deadline, progress = bounds
    if expected is not None and expected > limits.bytes:
        raise ListError(f"{url}: {expected >> 20} MiB is more than {limits.bytes >> 20} MiB")
    size = 0
    with into.open("wb") as out:
        while piece := response.read1(_PIECE):
            size += len(piece)
            if size > limits.bytes:
                raise ListError(f"{url}: more than {limits.bytes >> 20} MiB")
            if time.monotonic() > deadline:
                raise ListError(f"{url}: not finished after {limits.whole:.0f} s")
            out.write(piece)
            if progress is not None:
                progress(size, expected)
        out.flush()
        os.fsync(out.fileno())
    if expected is not None and size != expected:
        raise ListError(f"{url}: cut short ({size} of {expected} octets)")
    return Fetched(
        url, response.getheader("ETag"), response.getheader("Last-Modified"),
        response.getheader("Content-Type") or "", size,
    )  # fmt: skip


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
