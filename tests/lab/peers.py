"""Real DNS servers of Debian on loopback, for one test each."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.certificates import Pair
from tests.lab.running import free_ports

UNBOUND_DATA = """
  local-zone: "lab.example." static
  local-data: "lab.example. 300 SOA ns.lab.example. h.lab.example. 1 3600 600 86400 60"
  local-data: "www.lab.example. 300 A 192.0.2.1"
  local-data: "www.lab.example. 300 AAAA 2001:db8::1"
  local-data: "text.lab.example. 300 TXT 'one' 'two'"
"""


@dataclass(frozen=True, slots=True)
class Unbound:
    """Ports of a running unbound."""

    dns: int
    tls: int
    https: int


def free_port() -> int:
    """A TCP and UDP port that nobody has at this moment."""
    return free_ports(1)[0]


@contextlib.contextmanager
def unbound(folder: Path, pair: Pair, extra: str = UNBOUND_DATA) -> Iterator[Unbound]:
    """unbound with DNS, DoT and DoH on loopback, answering `lab.example` from its own data."""
    program = shutil.which("unbound", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("Debian's unbound is not installed")
    ports = Unbound(free_port(), free_port(), free_port())
    config = folder / "unbound.conf"
    config.write_text(
        f"""server:
  verbosity: 1
  num-threads: 1
  chroot: ""
  username: ""
  pidfile: ""
  directory: "{folder}"
  use-syslog: no
  do-daemonize: no
  interface: 127.0.0.1@{ports.dns}
  interface: 127.0.0.1@{ports.tls}
  interface: 127.0.0.1@{ports.https}
  tls-port: {ports.tls}
  https-port: {ports.https}
  tls-service-key: "{pair.key}"
  tls-service-pem: "{pair.certificate}"
  http-endpoint: "/dns-query"
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
{extra}
"""
    )
    log = folder / "unbound.log"
    with log.open("w") as output:
        child = subprocess.Popen(
            [program, "-d", "-c", str(config)], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        for port in (ports.dns, ports.tls, ports.https):
            _wait_for(port, child, log)
        yield ports
    finally:
        child.terminate()
        child.wait(10)


def _wait_for(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if child.poll() is not None:
            raise RuntimeError(f"the server ended: {log.read_text()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on {port}: {log.read_text()}")
