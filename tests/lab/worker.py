"""A real worker process on loopback with the shipped policy and lists, spoken to over its link."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import dns.message
import dns.query

from filterd.lists.job import Job, JobList
from filterd.metrics import counters, layout
from tests.lab.certificates import Pair

ROOT = Path(__file__).parents[2]


def shipped_policy() -> dict[str, str]:
    """The files of `policies/`."""
    return {path.name: path.read_text("utf-8") for path in (ROOT / "policies").glob("*.yaml")}


def compile_shipped(out: Path) -> Path:
    """The shipped lists as an index file."""
    lists = tuple(
        JobList(path.stem, path.stem, str(path))
        for path in sorted((ROOT / "blocklists" / "lists").glob("*.txt"))
    )
    job = json.dumps(asdict(Job(str(out), lists)))
    done = subprocess.run(
        [sys.executable, "-m", "filterd.lists.compile"],
        input=job, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return out


class LabWorker:
    """One worker on sockets of this process. `udp` and `tcp` share a port of 127.0.0.1."""

    def __init__(
        self,
        directory: Path,
        upstreams: tuple[str, ...],
        shared: LabWorker | None = None,
        pair: Pair | None = None,
    ) -> None:
        """With `pair` there are DoT and DoH too, on the sockets `dot` and `doh`."""
        self.dot, self.doh = (
            [socket.create_server(("127.0.0.1", 0)) for _ in range(1 if pair else 0)]
            for _ in range(2)
        )
        if shared is None:
            self.tcp = socket.create_server(("127.0.0.1", 0), backlog=256)
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(self.tcp.getsockname())
        else:
            self.tcp, self.udp = shared.tcp, shared.udp
        self.counters = directory / f"counters-{id(self)}"
        counters.create(self.counters, 1)
        self.beats = 0
        self.link, theirs = socket.socketpair()
        self.link.settimeout(20)
        inherited = [theirs.fileno(), self.tcp.fileno(), self.udp.fileno()]
        inherited += [each.fileno() for each in (*self.dot, *self.doh)]
        tls = {"certificate": str(pair.certificate), "key": str(pair.key)} if pair else {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "filterd.worker", "--link", str(theirs.fileno())],
            pass_fds=inherited,
        )
        theirs.close()
        settings: Mapping[str, Any] = {
            "allow_from": ["127.0.0.0/8"],
            "upstreams": list(upstreams),
            "upstream_strategy": "parallel",
            "conditional": {},
            "listen": {"dns": [], "dot": [], "doh": [], "tls": tls},
            "cache": {"size_mib": 16, "min_ttl": 0, "max_ttl": 86_400, "stale": 3600},
            "blocklists": str(ROOT / "blocklists"),
        }
        self.ask_link(
            {
                "do": "start",
                "udp": [self.udp.fileno()],
                "tcp": [self.tcp.fileno()],
                "dot": [each.fileno() for each in self.dot],
                "doh": [each.fileno() for each in self.doh],
                "settings": settings,
                "counters": str(self.counters),
                "slot": 0,
            }
        )

    @property
    def port(self) -> int:
        return int(self.tcp.getsockname()[1])

    def __enter__(self) -> LabWorker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.kill()
        for each in (self.udp, self.tcp, *self.dot, *self.doh):
            each.close()

    def kill(self) -> None:
        """End the process at once, as the kernel might."""
        self.process.kill()
        self.process.wait(10)
        self.link.close()

    def ask_link(self, frame: dict[str, Any]) -> dict[str, Any]:
        """Send a frame; its answer (beats in between are counted)."""
        raw = json.dumps(frame).encode()
        self.link.sendall(struct.pack("!I", len(raw)) + raw)
        while True:
            answer = self.read_link()
            if "beat" not in answer:
                return answer

    def read_link(self) -> dict[str, Any]:
        """The next frame from the worker."""
        (length,) = struct.unpack("!I", self._exactly(4))
        frame: dict[str, Any] = json.loads(self._exactly(length))
        self.beats += "beat" in frame
        return frame

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            piece = self.link.recv(count - len(found))
            if not piece:
                raise ConnectionError("the worker hung up")
            found += piece
        return found

    def put_in_force(self, index: Path, files: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Give it the shipped policy (or `files`) on an index."""
        policy = dict(files) if files is not None else shipped_policy()
        return self.ask_link(
            {"do": "ruleset", "files": policy, "revision": 1, "index": str(index),
             "at_trusted": True}
        )  # fmt: skip

    def ask(
        self, name: str, rtype: str = "A", client: str = "127.0.12.1", *, tcp: bool = False
    ) -> dns.message.Message:
        """What a client at that address is told."""
        query = dns.message.make_query(name, rtype, use_edns=0)
        send = dns.query.tcp if tcp else dns.query.udp
        return send(query, "127.0.0.1", 5, self.port, source=client)

    def total(self, place: int) -> int:
        """A counter."""
        return counters.total(self.counters)[place]

    def single(self, name: str) -> int:
        """A counter without labels."""
        return self.total(layout.single_place(name))
