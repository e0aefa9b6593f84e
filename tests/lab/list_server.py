"""A list server that misbehaves on demand: each path is one way in which list servers fail."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Served:
    """What a path answers. `how`: plain, slow, cut, endless, hang, status, redirect or stream
    (`pieces`, made as they are sent)."""

    body: bytes = b""
    how: str = "plain"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Callable[[], Iterable[bytes]] = tuple


class ListServer:
    """Paths and what they answer; `asked` are the requests that came, with their headers."""

    def __init__(self) -> None:
        self.paths: dict[str, Served] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.port = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def put(self, path: str, text: str, **more: Any) -> str:
        """Serve text under a path with an ETag of its content; its address."""
        etag = {"ETag": f'"{hash(text)}"'}
        self.paths[path] = Served(text.encode(), headers=etag, **more)
        return self.url(path)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lab: ListServer

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.lab.asked.append((self.path, dict(self.headers.items())))
        served = self.lab.paths.get(self.path, Served(status=404))
        etag = served.headers.get("ETag")
        if etag and self.headers.get("If-None-Match") == etag:
            self._head(304, {})
            return
        getattr(self, f"_{served.how}")(served)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Connection", "close")
        self.end_headers()

    def _plain(self, served: Served) -> None:
        length = {"Content-Length": str(len(served.body)), "Content-Type": "text/plain"}
        self._head(served.status, {**length, **served.headers})
        self.wfile.write(served.body)

    def _gzip(self, served: Served) -> None:
        body = gzip.compress(served.body)
        length = {"Content-Length": str(len(body)), "Content-Encoding": "gzip"}
        self._head(200, {**length, **served.headers})
        self.wfile.write(body)

    def _slow(self, served: Served) -> None:
        self._head(200, {"Content-Length": str(len(served.body))})
        for octet in served.body[:50]:
            self.wfile.write(bytes((octet,)))
            self.wfile.flush()
            time.sleep(0.1)

    def _hang(self, served: Served) -> None:
        self._head(200, {"Content-Length": "1000"})
        self.wfile.flush()
        time.sleep(5)

    def _cut(self, served: Served) -> None:
        self._head(200, {"Content-Length": str(len(served.body) * 2)})
        self.wfile.write(served.body)
        self.close_connection = True

    def _endless(self, served: Served) -> None:
        self._head(200, {})
        piece = served.body * (1 + 65536 // max(len(served.body), 1))
        while True:
            self.wfile.write(piece)

    def _stream(self, served: Served) -> None:
        self._head(200, served.headers)
        for piece in served.pieces():
            self.wfile.write(piece)

    def finish(self) -> None:
        """The client may have hung up before: that is what it is tested for."""
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        """The same."""
        with suppress(OSError):
            super().handle()


@contextmanager
def list_server() -> Iterator[ListServer]:
    """A running server on 127.0.0.1."""
    lab = ListServer()
    handler = type("Handler", (_Handler,), {"lab": lab})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    lab.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield lab
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
