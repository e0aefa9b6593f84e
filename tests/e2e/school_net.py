"""A whole school in network namespaces: a gateway, three segments with a pupil each, the Internet.

pupil0 10.0.10.2 ─ lan0 ┐
pupil1 10.0.11.2 ─ lan1 ├ gateway ─ wan0 ─ internet: 8.8.8.8, 2001:4860:4860::8888 (must never
pupil2 10.0.12.2 ─ lan2 ┘                            be reached as resolvers), 198.51.100.80
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_count = itertools.count()
PUBLIC4, PUBLIC6 = "8.8.8.8", "2001:4860:4860::8888"
SITE = "198.51.100.80"
SEGMENTS = 3


def run(*command: str, timeout: float = 30, stdin: str = "") -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, input=stdin, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class School:
    """Names of the namespaces; `pupils[i]` is behind `lan{i}` with 10.0.{10+i}.2."""

    gateway: str
    internet: str
    pupils: tuple[str, ...]

    def command(self, place: str, *command: str) -> list[str]:
        return ["ip", "netns", "exec", place, *command]

    def inside(self, place: str, *command: str, timeout: float = 30, stdin: str = "") -> str:
        return run(*self.command(place, *command), timeout=timeout, stdin=stdin)

    def start(self, place: str, *command: str, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a process there; the caller ends it (see `ended`)."""
        out = log.open("ab") if log else subprocess.DEVNULL
        try:
            return subprocess.Popen(
                self.command(place, *command), stdout=out, stderr=subprocess.STDOUT
            )
        finally:
            if log:
                out.close()  # type: ignore[union-attr]


@contextlib.contextmanager
def ended(processes: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    """End the processes afterwards, whatever happened."""
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
                process.wait(10)


@contextlib.contextmanager
def school() -> Iterator[School]:
    """The namespaces, up and routed (IPv4 and IPv6 forwarding on); taken away afterwards."""
    tag = f"fd{os.getpid()}x{next(_count)}"
    place = School(f"{tag}g", f"{tag}i", tuple(f"{tag}p{i}" for i in range(SEGMENTS)))
    names = (place.gateway, place.internet, *place.pupils)
    try:
        for name in names:
            run("ip", "netns", "add", name)
            place.inside(name, "ip", "link", "set", "lo", "up")
            # Duplicate address detection would keep the first seconds of IPv6 silent.
            place.inside(name, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            place.inside(place.gateway, "sysctl", "-qw", f"{key}=1")
        for i, pupil in enumerate(place.pupils):
            _link(place, f"lan{i}", pupil, f"10.0.{10 + i}", f"fd00:{10 + i}:")
        _link(place, "wan0", place.internet, "203.0.113", "2001:db8:1:", out=True)
        for address in (f"{PUBLIC4}/32", f"{PUBLIC6}/128", f"{SITE}/32"):
            place.inside(place.internet, "ip", "addr", "add", address, "dev", "lo")
        yield place
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _link(place: School, lan: str, other: str, v4: str, v6: str, out: bool = False) -> None:
    """A veth between the gateway's `lan` and `other`'s eth0, addressed and routed."""
    gateway = place.gateway
    run(
        "ip",
        "-n",
        gateway,
        "link",
        "add",
        lan,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        other,
    )
    run("ip", "-n", gateway, "addr", "add", f"{v4}.1/24", "dev", lan)
    run("ip", "-n", gateway, "addr", "add", f"{v6}:1/64", "dev", lan, "nodad")
    run("ip", "-n", other, "addr", "add", f"{v4}.2/24", "dev", "eth0")
    run("ip", "-n", other, "addr", "add", f"{v6}:2/64", "dev", "eth0", "nodad")
    for name, device in ((gateway, lan), (other, "eth0")):
        run("ip", "-n", name, "link", "set", device, "up")
    for family, via in (("-4", "1"), ("-6", "1")):
        hop = f"{v4}.{via}" if family == "-4" else f"{v6}:{via}"
        run("ip", "-n", other, family, "route", "add", "default", "via", hop)
    if out:
        for family, hop in (("-4", f"{v4}.2"), ("-6", f"{v6}:2")):
            run("ip", "-n", gateway, family, "route", "add", "default", "via", hop)


PYTHON = sys.executable
