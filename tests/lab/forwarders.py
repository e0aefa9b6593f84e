"""The peers of Debian as plain forwarders to one upstream on loopback, none of them filtering.

Each runs as it comes, besides what a forwarder on loopback needs. Nothing here validates: the
upstream does.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.packets import query, udp_ask
from tests.lab.peers import free_port

_PATH = "/usr/sbin:/usr/bin:/bin"
Setup = Callable[[Path, int, int], list[str]]
"""(folder, own port, upstream port) → command that runs in the foreground."""


@dataclass(frozen=True, slots=True)
class Forwarder:
    """A kind of server: its name, its program, how its version is asked, how it is set up."""

    title: str
    program: str
    version: tuple[str, ...]
    setup: Setup

    @property
    def installed(self) -> str | None:
        """Its version; None: Debian's package is not installed."""
        path = shutil.which(self.program, path=_PATH)
        if path is None:
            return None
        done = subprocess.run([path, *self.version], capture_output=True, text=True, timeout=20)
        found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
        return found[0] if found else "?"


@dataclass(frozen=True, slots=True)
class Started:
    """A running server."""

    title: str
    version: str
    port: int
    process: subprocess.Popen[bytes]
    command: list[str]


def _unbound(folder: Path, port: int, upstream: int) -> list[str]:
    (folder / "unbound.conf").write_text(
        f'server:\n  interface: 127.0.0.1\n  port: {port}\n  chroot: ""\n  username: ""\n'
        f'  pidfile: ""\n  directory: "{folder}"\n  do-not-query-localhost: no\n  use-syslog: no\n'
        '  access-control: 127.0.0.0/8 allow\n  module-config: "iterator"\n  ede: yes\n'
        f"  local-zone: example. nodefault\nremote-control:\n  control-enable: no\n"
        f'forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@{upstream}\n'
    )
    return ["unbound", "-d", "-c", str(folder / "unbound.conf")]


def _bind(folder: Path, port: int, upstream: int) -> list[str]:
    (folder / "named.conf").write_text(
        f'options {{ directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; '
        "listen-on-v6 { none; }; recursion yes; dnssec-validation no; forward only; pid-file none; "
        "session-keyfile none; empty-zones-enable no; allow-query { 127.0.0.0/8; }; "
        "allow-recursion { 127.0.0.0/8; }; max-udp-size 1232; "
        f"forwarders port {upstream} {{ 127.0.0.1; }}; }};\ncontrols {{ }};\n"
    )
    return ["named", "-f", "-n", "1", "-c", str(folder / "named.conf")]


def _dnsmasq(_folder: Path, port: int, upstream: int) -> list[str]:
    return [
        "dnsmasq", "-k", "-C", "/dev/null", f"--port={port}", "--user=root", "--no-resolv",
        "--listen-address=127.0.0.1", "--bind-interfaces", "--no-hosts", "--pid-file=",
        f"--server=127.0.0.1#{upstream}", "--proxy-dnssec",
    ]  # fmt: skip


def _dnsdist(folder: Path, port: int, upstream: int) -> list[str]:
    (folder / "dnsdist.conf").write_text(
        f'setLocal("127.0.0.1:{port}")\nsetACL("127.0.0.0/8")\nsetSecurityPollSuffix("")\n'
        f'newServer({{address="127.0.0.1:{upstream}", checkType="SOA", '
        'checkName="lab.example."})\n'
    )
    return ["dnsdist", "--supervised", "-C", str(folder / "dnsdist.conf")]


def _recursor(folder: Path, port: int, upstream: int) -> list[str]:
    (folder / "recursor.conf").write_text(
        f"local-address=127.0.0.1\nlocal-port={port}\ndont-query=\nthreads=1\nsocket-dir={folder}\n"
        f"forward-zones-recurse=.=127.0.0.1:{upstream}\ndnssec=process-no-validate\nhint-file=no\n"
        "security-poll-suffix=\nwrite-pid=no\ndaemon=no\nquiet=yes\n"
    )
    return ["pdns_recursor", f"--config-dir={folder}"]


PEERS = (
    Forwarder("unbound", "unbound", ("-V",), _unbound),
    Forwarder("BIND", "named", ("-v",), _bind),
    Forwarder("dnsmasq", "dnsmasq", ("--version",), _dnsmasq),
    Forwarder("dnsdist", "dnsdist", ("--version",), _dnsdist),
    Forwarder("PowerDNS Recursor", "pdns_recursor", ("--version",), _recursor),
)


@contextlib.contextmanager
def forwarding(peer: Forwarder, folder: Path, upstream: int) -> Iterator[Started]:
    """The peer in front of an upstream, once it answers anything at all."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = peer.setup(folder, port, upstream)
    command[0] = shutil.which(command[0], path=_PATH) or command[0]
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        deadline = time.monotonic() + 20
        while udp_ask(port, query("www.lab.example"), 0.3) is None:
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{peer.title}: {(folder / 'log').read_text()[-800:]}")
        yield Started(peer.title, peer.installed or "?", port, child, command)
    finally:
        child.kill()
        child.wait(10)
