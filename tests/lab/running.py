"""A real `filterd run` in a directory of its own on free loopback ports, as a test holds it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import yaml

from filterd.control.client import ControlClient

ROOT = Path(__file__).parents[2]
TIERS = {"preschool": 10, "primary": 11, "lower_secondary": 12, "upper_secondary": 13, "staff": 14}


def free_ports(count: int) -> list[int]:
    """Ports that are free for UDP and TCP on 127.0.0.1 now: below those that the kernel gives to
    outgoing sockets, of which filterd has many, so that they are still free a moment later."""
    found: list[int] = []
    while len(found) < count:
        port = secrets.randbelow(22_000) + 10_000
        with (
            contextlib.suppress(OSError),
            socket.socket() as tcp,
            socket.socket(type=socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
            found += [port] * (port not in found)
    return found


def until(holds: Callable[[], Any], seconds: float = 60.0, what: str = "it") -> Any:
    """Wait for a state, not for a time; gives what `holds` gave."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"{what} did not happen in {seconds} s"
        time.sleep(0.02)
    return found


class RunningFilterd:
    """Start with `start`, always `stop`. `settings` are merged over the defaults of a test."""

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.port, self.metrics = free_ports(2)
        self.config = folder / "filterd.yaml"
        self.log = folder / "log"
        self.settings: dict[str, Any] = {
            "state_dir": str(folder / "var"),
            "workers": 2,
            "listen": {"dns": [f"127.0.0.1:{self.port}"]},
            "metrics": f"127.0.0.1:{self.metrics}",
            "console": None,
            "portal": None,
            "upstreams": ["udp://127.0.0.1:9"],
            **(settings or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.prefix: tuple[str, ...] = ()
        """Before the command: `ip netns exec …`, `strace …`, `prlimit …`."""

    def spawn(self, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start the process without waiting for anything."""
        self.config.write_text(yaml.safe_dump(self.settings), "utf-8")
        self.log.write_bytes(b"")
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "filterd", "run", "--config", str(self.config)]
            self.process = subprocess.Popen(
                [*self.prefix, *command],
                stdout=log, stderr=log, cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
            )  # fmt: skip
        return self.process

    def start(self, environment: Mapping[str, str] | None = None) -> RunningFilterd:
        """Start and wait until everything runs."""
        process = self.spawn(environment)
        until(lambda: "is running" in self.text() or process.poll() is not None, 60.0, "the start")
        assert process.poll() is None, self.text()
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it and give the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(20)
        finally:
            if self.process.poll() is None:
                self.process.kill()

    def text(self) -> str:
        """What it printed and logged."""
        return self.log.read_text("utf-8", "replace")

    def ask(
        self, name: str, source: str = "127.0.12.1", rdtype: str = "A", seconds: float = 3.0
    ) -> dns.message.Message:
        """One question over UDP from a source address."""
        query = dns.message.make_query(name, rdtype, use_edns=0)
        return dns.query.udp(query, "127.0.0.1", seconds, self.port, source)

    def outcome(self, name: str, tier: str = "lower_secondary") -> str:
        """How a name comes out for a tier: its rcode, and the first address if there is one."""
        answer = self.ask(name, f"127.0.{TIERS[tier]}.1")
        addresses = [item.to_text() for rrset in answer.answer for item in rrset]
        return " ".join([dns.rcode.to_text(answer.rcode()), *addresses[:1]])

    @property
    def control(self) -> ControlClient:
        """The control socket as the local administrator."""
        return ControlClient(self.folder / "var" / "run" / "control.sock", 20)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another filterd command with the same settings."""
        return subprocess.run(
            [sys.executable, "-m", "filterd", *arguments, "--config", str(self.config)],
            capture_output=True, text=True, timeout=60, cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip


def workers(filterd: RunningFilterd) -> list[int]:
    """The processes that answer now."""
    return [each["pid"] for each in filterd.control.call("status.get")["workers"] if each["alive"]]


def shipped_with(folder: Path, *segments: Mapping[str, str]) -> Path:
    """The shipped policies in `folder`, with these segments of lower secondary pupils besides."""
    policies = folder / "policies"
    shutil.copytree(ROOT / "policies", policies)
    path = policies / "school.yaml"
    school = yaml.safe_load(path.read_text("utf-8"))
    school["segments"] += [{**each, "tier": "lower_secondary"} for each in segments]
    path.write_text(yaml.safe_dump(school, allow_unicode=True), "utf-8")
    return policies
