"""What may be fed with anything: each takes octets and may raise nothing."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable

from filterd.clients import radius
from filterd.clients.leases import parse as parse_leases
from filterd.errors import WireError
from filterd.listen import drain, drain_form
from filterd.listen.http1 import Http1
from filterd.listen.http2 import Http2
from filterd.listen.http_dns import Request, read_request
from filterd.lists import formats
from filterd.lists.detect import detect
from filterd.lists.formats import FORMATS, Options
from filterd.resolve.answers import Clamp, normalise
from filterd.upstream import message
from filterd.upstream.message import build
from filterd.upstream.question import UpstreamQuestion
from filterd.upstream.scan import inspect
from filterd.wire import svcb
from filterd.wire.names import from_wire, to_wire
from filterd.wire.query import parse_query
from filterd.wire.records import parse_reply
from tests.fuzz import connections, records


def query(octets: bytes) -> None:
    """A client's message; the name of one that is read survives the way to text and back."""
    with contextlib.suppress(WireError):
        found = parse_query(octets)
        assert to_wire(from_wire(found.name_wire)) == found.name_wire


def reply(octets: bytes) -> None:
    """An upstream's message, walked and normalised."""
    with contextlib.suppress(WireError):
        read = parse_reply(octets)
        normalise(read, read.question.lower(), 0.0, Clamp())


def scan(octets: bytes) -> None:
    """The first look at what a socket received; None is its way to refuse."""
    inspect(octets)


def native_reply(octets: bytes) -> None:
    """An upstream's message as the native part reads it: what it takes, the others take alike."""
    if not drain.COMPILED:
        return
    with contextlib.suppress(WireError):
        asked = octets[:2] + b"\1\0\0\1" + bytes(6) + octets[12:300]
        size = len(parse_query(asked[: _question_end(asked)]).question)
        drain._native.read_reply(asked, size, octets)


def _question_end(octets: bytes) -> int:
    end = octets.find(b"\0", 12)
    return end + 5 if end >= 0 else len(octets)


def refusal(octets: bytes) -> None:
    """What a client gets for a message that cannot be read: nothing, or a header."""
    found = drain_form.refusal(octets)
    assert found is None or len(found) in (0, 12)


def service(octets: bytes) -> None:
    """SVCB data; written again it is the same."""
    with contextlib.suppress(WireError):
        assert svcb.parse(octets).rdata() == octets


def fitting(octets: bytes) -> None:
    """Whether a datagram answers a question."""
    name = b"\3www\7example\0"
    question = UpstreamQuestion(name, 1, 1, True)
    asked = build(question, 7, name=name, options=b"", edns=True)
    message.fit(asked, octets)
    message.fit(asked, asked[:2] + octets[2:])
    message.bare_refusal(asked, octets)


def http_1(octets: bytes) -> None:
    """A DoH client that speaks HTTP/1.1; cut anywhere it is the same."""
    for cut in (len(octets), len(octets) // 2):
        connection = Http1(lambda _: None, lambda _number, request: _asked(request))
        for piece in (octets[:cut], octets[cut:]):
            if piece and not connection.dead:
                connection.receive(piece, 0.0)


def http_2(octets: bytes) -> None:
    """The same with HTTP/2, after the preface that everybody sends."""
    connection = Http2(lambda _: None, lambda _number, request: _asked(request))
    for piece in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", octets):
        if piece and not connection.dead:
            connection.receive(piece, 0.0)


def _asked(request: Request) -> None:
    read_request(request)


def accounting(octets: bytes) -> None:
    """A RADIUS packet, as it is and with a right authenticator."""
    radius.read(octets, b"secret")
    if 20 <= len(octets) < 65_536:
        signed = octets[:2] + len(octets).to_bytes(2, "big") + bytes(16) + octets[20:]
        digest = hashlib.md5(signed + b"secret", usedforsecurity=False).digest()
        radius.read(signed[:4] + digest + signed[20:], b"secret")


def leases(octets: bytes) -> None:
    """A lease file of any DHCP server."""
    parse_leases(octets.decode("utf-8", "replace"), 0.0)


def a_list(octets: bytes) -> None:
    """A fetched list, read in every format."""
    lines = octets.decode("utf-8", "replace").splitlines()
    detect(lines)
    for name in FORMATS:
        for _ in formats.parse(name, enumerate(lines, 1), Options()):
            pass


TARGETS: dict[str, Callable[[bytes], None]] = {
    "query": query, "reply": reply, "scan": scan, "native reply": native_reply,
    "refusal": refusal, "service": service, "fit": fitting, "http/1.1": http_1, "http/2": http_2,
    "radius": accounting, "leases": leases, "list": a_list,
    "upstream frames": connections.upstream_frames, "upstream http/2": connections.upstream_http_2,
    "native http/2": connections.native_http_2, "client frames": connections.client_frames,
    "envelopes": records.envelopes, "bodies": records.bodies, "dhcp": records.dhcp_offer,
    "answered": records.answered_addresses, "archive": records.archive,
}  # fmt: skip
"""Every reader of octets that come over the network or from another program's file; streams and
records stand in `connections` and `records`."""
