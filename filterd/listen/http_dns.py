"""What a DNS question over HTTP means, whichever HTTP carried it (RFC 8484; PURE).

Owns the paths, the media type, the status codes and the freshness. Knows no connection.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import parse_qs

from filterd.errors import WireError
from filterd.wire import constants as iana
from filterd.wire.records import parse_reply

MEDIA_TYPE = "application/dns-message"
PATH = "/dns-query"
MAX_BODY = 8192
"""Far above any question, padded ones included; what is longer is 413 before it is read."""
MAX_TARGET = 2048
_TOKEN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class Request:
    """A request after its body has come; `target` is path and query as sent."""

    method: str
    target: str
    media_type: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back; `headers` without content-length, which the HTTP version adds."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Asked:
    """A DNS message and the device token of its path, None without one."""

    wire: bytes
    device: str | None


def read_request(request: Request) -> Asked | Response:
    """The DNS message in a request, or the refusal to send back.

    `/dns-query` is everybody's; `/dns-query/TOKEN` says which device asks.
    """
    path, _mark, query = request.target.partition("?")
    if len(request.target) > MAX_TARGET:
        return problem(414)
    device = _device(path)
    if path != PATH and device is None:
        return problem(404)
    if request.method == "POST":
        if request.media_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
            return problem(415)
        wire = request.body
    elif request.method in ("GET", "HEAD"):
        wire = _from_query(query)
    else:
        return Response(405, (("allow", "GET, HEAD, POST"),))
    if len(wire) > MAX_BODY:
        return problem(413)
    if len(wire) < 12 or wire[2] & 0x80:
        return problem(400)
    return Asked(wire, device)


def answer(wire: bytes) -> Response:
    """The DNS message as a response; fresh for its shortest TTL (RFC 8484 §5.1).

    `private`: the answer depends on who asks, so no cache between may share it.
    """
    freshness = f"private, max-age={max_age(wire)}"
    return Response(200, (("content-type", MEDIA_TYPE), ("cache-control", freshness)), wire)


def problem(status: int) -> Response:
    """A refusal without a body: nobody reads what a DNS client was told in prose."""
    return Response(status, (("cache-control", "no-store"),))


def max_age(wire: bytes) -> int:
    """The lowest TTL of the answer; for negative answers that of the SOA; 0 for failures."""
    try:
        message = parse_reply(wire)
    except WireError:
        return 0
    if message.rcode not in (iana.NOERROR, iana.NXDOMAIN):
        return 0
    negative = [
        min(record.ttl, int.from_bytes(record.rdata[-4:], "big"))
        for record in message.authority
        if record.rtype == iana.SOA
    ]
    return min([*(record.ttl for record in message.answer), *negative], default=0)


def _device(path: str) -> str | None:
    token = path.removeprefix(f"{PATH}/").lower()
    return token if token != path.lower() and _TOKEN.fullmatch(token) else None


def _from_query(query: str) -> bytes:
    """The base64url value of `dns` without padding (RFC 8484 §4.1); b"" if it is none."""
    try:
        values = parse_qs(query, max_num_fields=8).get("dns", [])
    except ValueError:
        return b""
    if len(values) != 1 or not re.fullmatch(r"[A-Za-z0-9_-]+", values[0]):
        return b""
    try:
        return base64.urlsafe_b64decode(values[0] + "=" * (-len(values[0]) % 4))
    except binascii.Error:
        return b""
