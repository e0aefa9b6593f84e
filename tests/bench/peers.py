"""The servers side by side: how each is given the same list and the same upstream.

Every server listens on one UDP port of 127.0.0.1, is pinned to one core, blocks with NXDOMAIN and
forwards the rest to the stub. A peer whose program is not installed is left out with a note.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

Setup = Callable[[Path, Path, int, int], list[str]]
"""(folder, list file, own port, upstream port) → command that runs in the foreground."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One server: its name in the table, the program it needs, how it is set up."""

    title: str
    program: str
    version: tuple[str, ...]
    setup: Setup

    def installed_version(self) -> str | None:
        """The program's version, or None when it is not installed."""
        path = shutil.which(self.program, path="/usr/sbin:/usr/bin:/usr/local/bin:/bin")
        if path is None:
            return None
        done = subprocess.run([path, *self.version], capture_output=True, text=True, timeout=20)
        found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
        return found[0] if found else "?"


def _names(path: Path) -> Iterable[str]:
    with path.open(encoding="ascii") as lines:
        for line in lines:
            yield line.strip()


def dnsmasq(folder: Path, names: Path, port: int, upstream: int) -> list[str]:
    """dnsmasq with `address=/name/`, its own fastest form for name and subdomains."""
    with (folder / "block.conf").open("w") as out:
        out.writelines(f"address=/{name}/\n" for name in _names(names))
    return [
        "dnsmasq", "-k", "-C", str(folder / "block.conf"), f"--port={port}", "--user=root",
        "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--no-hosts",
        f"--server=127.0.0.1#{upstream}", "--cache-size=20000", "--pid-file=",
        "--dns-forward-max=5000",
    ]  # fmt: skip


_UNBOUND = """server:
  interface: 127.0.0.1
  port: {port}
  do-not-query-localhost: no
  chroot: ""
  username: ""
  pidfile: ""
  directory: "{folder}"
  num-threads: 1
  use-syslog: no
  verbosity: 0
  module-config: "{modules}"
  so-rcvbuf: 4m
  msg-cache-size: 32m
  rrset-cache-size: 64m
  outgoing-range: 8192
  num-queries-per-thread: 4096
{extra}
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{upstream}
"""


def unbound(folder: Path, names: Path, port: int, upstream: int) -> list[str]:
    """unbound with one `local-zone … always_nxdomain` a name."""
    with (folder / "zones.conf").open("w") as out:
        out.write("server:\n")
        out.writelines(f'local-zone: "{name}." always_nxdomain\n' for name in _names(names))
    extra = f'include: "{folder}/zones.conf"'
    text = _UNBOUND.format(
        port=port, folder=folder, modules="iterator", extra="", upstream=upstream
    )
    (folder / "unbound.conf").write_text(f"{text}{extra}\n")
    return ["unbound", "-d", "-c", str(folder / "unbound.conf")]


def write_rpz(folder: Path, names: Path) -> Path:
    """The list as a response policy zone (name and everything below it → NXDOMAIN)."""
    path = folder / "block.rpz"
    with path.open("w") as out:
        out.write(
            "$TTL 60\n@ SOA localhost. root.localhost. 1 3600 600 86400 60\n@ NS localhost.\n"
        )
        for name in _names(names):
            if len(name) <= 240:  # with the zone behind it a longer one is no name any more
                out.write(f"{name} CNAME .\n*.{name} CNAME .\n")
    return path


def unbound_rpz(folder: Path, names: Path, port: int, upstream: int) -> list[str]:
    """unbound with the list as a response policy zone (for comparing how lists load)."""
    zone = write_rpz(folder, names)
    text = _UNBOUND.format(
        port=port, folder=folder, modules="respip iterator", extra="", upstream=upstream
    )
    (folder / "unbound.conf").write_text(f'{text}rpz:\n  name: block.\n  zonefile: "{zone}"\n')
    return ["unbound", "-d", "-c", str(folder / "unbound.conf")]


def bind(folder: Path, names: Path, port: int, upstream: int) -> list[str]:
    """BIND with the list as a response policy zone."""
    zone = write_rpz(folder, names)
    (folder / "named.conf").write_text(
        f'options {{ directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }};'
        f" listen-on-v6 {{ none; }};"
        f" recursion yes; dnssec-validation no; forward only; pid-file none; session-keyfile none;"
        f" empty-zones-enable no; recursive-clients 10000;"
        f" forwarders port {upstream} {{ 127.0.0.1; }};"
        f' response-policy {{ zone "block.rpz"; }} qname-wait-recurse no; }};\ncontrols {{ }};\n'
        f'zone "block.rpz" {{ type primary; file "{zone}"; check-names ignore; }};\n'
    )
    return ["named", "-f", "-n", "1", "-c", str(folder / "named.conf")]


def recursor(folder: Path, names: Path, port: int, upstream: int) -> list[str]:
    """PowerDNS Recursor with the list as a response policy zone."""
    zone = write_rpz(folder, names)
    (folder / "rpz.lua").write_text(f'rpzFile("{zone}", {{policyName="block"}})\nclearTA()\n')
    (folder / "recursor.conf").write_text(
        f"local-address=127.0.0.1\nlocal-port={port}\nforward-zones-recurse=.=127.0.0.1:{upstream}\n"
        f"dont-query=\nthreads=1\nlua-config-file={folder}/rpz.lua\nsocket-dir={folder}\n"
        "dnssec=off\nhint-file=no\nsecurity-poll-suffix=\nwrite-pid=no\ndaemon=no\nquiet=yes\n"
        "packetcache-ttl=3600\n"
    )
    return ["pdns_recursor", f"--config-dir={folder}"]


def dnsdist(folder: Path, names: Path, port: int, upstream: int) -> list[str]:
    """dnsdist with the list as one suffix tree, and a cache of packets before the stub."""
    (folder / "dnsdist.lua").write_text(
        f'setLocal("127.0.0.1:{port}")\nsetACL({{"127.0.0.0/8"}})\nsetSecurityPollSuffix("")\n'
        f'newServer({{address="127.0.0.1:{upstream}", healthCheckMode="up"}})\n'
        "setMaxUDPOutstanding(65535)\n"
        'getPool(""):setCache(newPacketCache(100000, {maxTTL=86400}))\n'
        f'local names = newSuffixMatchNode()\nfor line in io.lines("{names}") do\n'
        "  names:add(newDNSName(line))\nend\n"
        "addAction(SuffixMatchNodeRule(names), RCodeAction(DNSRCode.NXDOMAIN))\n"
    )
    return ["dnsdist", "--supervised", "--disable-syslog", "-C", str(folder / "dnsdist.lua")]


PEERS = (
    Peer("dnsmasq address=", "dnsmasq", ("--version",), dnsmasq),
    Peer("unbound local-zone", "unbound", ("-V",), unbound),
    Peer("PowerDNS Recursor RPZ", "pdns_recursor", ("--version",), recursor),
    Peer("BIND RPZ", "named", ("-v",), bind),
    Peer("dnsdist suffix tree", "dnsdist", ("--version",), dnsdist),
)
