"""Three network namespaces in a row: client – gateway – upstream; sockets of this process in each.

10.9.1.2 client ── 10.9.1.1 gateway 10.9.2.1 ── 10.9.2.2 upstream      (fd09:… alike)
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tests.lab.lying_upstream import LyingUpstream

_NEWNET = 0x40000000
_serial = itertools.count()
Made = TypeVar("Made")


def need() -> None:
    """Skip without root, iproute2 or nft; in CI that is a failure."""
    lacking = [tool for tool in ("ip", "nft") if shutil.which(tool) is None]
    reason = "needs root" if os.geteuid() else f"needs {', '.join(lacking)}" if lacking else ""
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI has to run this")
    if reason:
        pytest.skip(reason)


@dataclass(frozen=True, slots=True)
class Row:
    """The three namespaces by name."""

    client: str
    gateway: str
    upstream: str

    def run(self, place: str, *command: str, stdin: str = "", seconds: float = 20) -> str:
        """Run a command there."""
        done = subprocess.run(
            ["ip", "netns", "exec", place, *command],
            input=stdin, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def nft(self, place: str, rule: str, hook: str = "input") -> None:
        """One rule of a new table there."""
        chain = f"type filter hook {hook} priority 0; policy accept;"
        self.run(
            place, "nft", "-f", "-",
            stdin=f"table inet lab {{ chain c {{ {chain}\n{rule}\n}}\n}}\n",
        )  # fmt: skip

    def calm(self, place: str) -> None:
        """Take that rule away."""
        self.run(place, "nft", "delete", "table", "inet", "lab")


def inside(name: str, make: Callable[[], Made]) -> Made:
    """What `make` makes in a thread that lives in that namespace; sockets stay there."""
    found: list[Made] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            enter(name)
            found.append(make())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def enter(name: str) -> None:
    """Move this thread into a namespace for good."""
    handle = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(handle, _NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {name}")
    finally:
        os.close(handle)


class UpstreamThere(LyingUpstream):
    """The scripted upstream on an address of another namespace."""

    def __init__(self, name: str, host: str, port: int = 53) -> None:
        super().__init__(host, port)
        self._name = name

    def _run(self) -> None:
        enter(self._name)
        super()._run()


def udp_socket(place: str, address: str, port: int = 53) -> socket.socket:
    """A connected socket of that namespace."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def make() -> socket.socket:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.settimeout(2)
        sock.connect((address, port))
        return sock

    return inside(place, make)


@contextlib.contextmanager
def row() -> Iterator[Row]:
    """The namespaces, linked and addressed; taken away afterwards."""
    tag = f"ch{os.getpid()}x{next(_serial)}"
    place = Row(f"{tag}c", f"{tag}g", f"{tag}u")
    names = (place.client, place.gateway, place.upstream)
    try:
        for name in names:
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        _link(place.gateway, "lan", place.client, 1)
        _link(place.gateway, "wan", place.upstream, 2)
        yield place
    finally:
        for name in names:
            if Path(f"/run/netns/{name}").exists():
                _run("ip", "netns", "del", name)


def _link(gateway: str, device: str, other: str, number: int) -> None:
    _run("ip", "-n", gateway, "link", "add", device, "type", "veth",
         "peer", "name", "eth0", "netns", other)  # fmt: skip
    for name, end, host in ((gateway, device, 1), (other, "eth0", 2)):
        _run("ip", "-n", name, "addr", "add", f"10.9.{number}.{host}/24", "dev", end)
        _run("ip", "-n", name, "addr", "add", f"fd09:{number}::{host}/64", "dev", end, "nodad")
        _run("ip", "-n", name, "link", "set", end, "up")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
