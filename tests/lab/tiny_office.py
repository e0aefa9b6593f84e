"""An office of fifty lines behind real HTTPS: takes summaries, judges them as the hub must."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from filterd.errors import EvidenceError
from filterd.evidence import signing
from filterd.evidence.canonical import digest
from filterd.evidence.chain import Head, Outcome, judge
from filterd.evidence.records import Summary
from filterd.evidence.summary import decode
from tests.lab.certificates import Authority


@dataclass
class TinyOffice:
    """`public` is the pinned key; `broken` answers 503; `refuse` answers 422."""

    now: datetime
    url: str = ""
    ca: str = ""
    public: bytes = b""
    broken: bool = False
    taken: dict[int, Summary] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)
    head: Head | None = None
    refused: list[str] = field(default_factory=list)

    def take(self, envelope: bytes) -> int:
        if self.broken:
            return 503
        try:
            body = signing.verify(signing.decode(envelope), self.public, signing.SUMMARY)
            summary = decode(body)
        except EvidenceError as error:
            self.refused.append(error.code)
            return 422
        counter = summary["counter"]
        outcome = judge(self.head, summary, digest(body), self.now, self.digests.get(counter))
        if outcome.refused:
            self.refused.append(outcome.value)
            return 422
        if outcome is Outcome.KNOWN:
            return 409
        self.taken[counter] = summary
        self.digests[counter] = digest(body)
        self.head = Head(counter, digest(body), date.fromisoformat(summary["day"]))
        return 201


@contextmanager
def serve(office: TinyOffice, folder: Path) -> Iterator[TinyOffice]:
    """The office at `office.url`, its certificate authority in `office.ca`."""

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/api/v1/enrol":
                asked = json.loads(body)
                office.public = bytes.fromhex(asked["public"])
                self._say(201, json.dumps({"school": "VN-79-000123"}).encode())
                return
            self._say(office.take(body) if self.path == "/api/v1/summaries" else 404, b"{}")

        def _say(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    authority = Authority(folder)
    pair = authority.issue("127.0.0.1", file="office")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    office.url = f"https://127.0.0.1:{server.server_address[1]}"
    office.ca = authority.file.read_text("ascii")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield office
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
