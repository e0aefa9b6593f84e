"""TCP, DoT and DoH: filterd beside unbound and dnsdist, cached names, one core for the server.

Every server gets the same certificate and, for each transport, a port of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypedDict

from tests.bench import servers
from tests.bench.load import Shot, dnsperf, h2load
from tests.bench.peers import PEERS, Peer
from tests.bench.servers import Running
from tests.bench.workload import Workload
from tests.lab.certificates import Authority, Pair

MODES = ("tcp", "dot", "dot, padded", "doh")
Ports = dict[str, int]
_SOCKETS = ("tcp", "dot", "doh")
_PADDING = "12:" + "00" * 80
"""What Android's Private DNS and most others send over TLS (RFC 7830)."""

_UNBOUND = """server:
  interface: 127.0.0.1@{tcp}
  interface: 127.0.0.1@{dot}
  interface: 127.0.0.1@{doh}
  tls-port: {dot}
  https-port: {doh}
  tls-service-key: "{key}"
  tls-service-pem: "{certificate}"
  incoming-num-tcp: 1000
"""
_DNSDIST = """
addTLSLocal("127.0.0.1:{dot}", "{certificate}", "{key}")
addDOHLocal("127.0.0.1:{doh}", "{certificate}", "{key}", "/dns-query")
"""


def _unbound(command: list[str], ports: Ports, pair: Pair) -> None:
    path = Path(command[-1])
    text = path.read_text().replace(f"  interface: 127.0.0.1\n  port: {ports['tcp']}\n", "")
    ours = _UNBOUND.format(key=pair.key, certificate=pair.certificate, **ports)
    path.write_text(text.replace("server:\n", ours, 1))


def _dnsdist(command: list[str], ports: Ports, pair: Pair) -> None:
    with Path(command[-1]).open("a") as out:
        out.write(_DNSDIST.format(key=pair.key, certificate=pair.certificate, **ports))


_EXTENDED = {"unbound": _unbound, "dnsdist": _dnsdist}


class _How(TypedDict):
    """How dnsperf asks."""

    mode: str
    option: str | None


@contextlib.contextmanager
def _peer(
    peer: Peer, folder: Path, work: Workload, upstream: int, pair: Pair
) -> Iterator[tuple[Running, Ports]]:
    folder.mkdir(parents=True, exist_ok=True)
    ports = {mode: servers.free_port() for mode in _SOCKETS}
    command = peer.setup(folder, work.list_file, ports["tcp"], upstream)
    _EXTENDED[peer.program](command, ports, pair)
    version = peer.installed_version() or "?"
    listed = work.listed_sample
    with servers.serve(peer.title, version, command, ports["tcp"], listed) as running:
        yield running, ports


@contextlib.contextmanager
def _filterd(
    folder: Path, work: Workload, upstream: int, pair: Pair
) -> Iterator[tuple[Running, Ports]]:
    folder.mkdir(parents=True, exist_ok=True)
    ports = {mode: servers.free_port() for mode in _SOCKETS}
    tls = {"certificate": str(pair.certificate), "key": str(pair.key)}
    listen = {
        "dot": [f"127.0.0.1:{ports['dot']}"], "doh": [f"127.0.0.1:{ports['doh']}"], "tls": tls,
    }  # fmt: skip
    config = servers.settings(folder, ports["tcp"], upstream, listen=listen)
    servers.compile_lists(config, folder, work.list_file)
    command = [servers.filterd(), "run", "--config", str(config)]
    listed = work.listed_sample
    with servers.serve("filterd", "this tree", command, ports["tcp"], listed) as running:
        yield running, ports


def _how(mode: str) -> _How:
    transport, _, padded = mode.partition(", ")
    return {"mode": transport, "option": _PADDING if padded else None}


def measure(
    folder: Path,
    work: Workload,
    upstream: int,
    rounds: int,
    seconds: float,
    modes: Sequence[str] = MODES,
) -> dict[str, dict[str, list[Shot]]]:
    """Shots by server and transport, in turns."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = Authority(folder).issue("localhost", "127.0.0.1", file="bench")
    found: dict[str, dict[str, list[Shot]]] = {}
    names = [line.split()[0] for line in work.warm.read_text("ascii").splitlines()]
    with contextlib.ExitStack() as on:
        running = [on.enter_context(_filterd(folder / "filterd", work, upstream, pair))]
        running += [
            on.enter_context(_peer(peer, folder / peer.program, work, upstream, pair))
            for peer in PEERS
            if peer.program in _EXTENDED and peer.installed_version() is not None
        ]

        def shot(one: Running, port: int, mode: str, length: float) -> Shot:
            if mode == "doh":
                return h2load(port, names, one.pids(), folder, seconds=length)
            return dnsperf(port, work.queries["cached"], one.pids(), seconds=length, **_how(mode))

        for one, ports in running:  # dnsdist keeps an answer for the transport that asked
            for mode in modes:
                if mode == "doh":
                    h2load(ports[mode], names, one.pids(), folder)
                else:
                    port = ports[_how(mode)["mode"]]
                    dnsperf(port, work.warm, one.pids(), passes=2, **_how(mode))
        for mode in [*modes] * rounds:
            for one, ports in running:
                taken = shot(one, ports[_how(mode)["mode"]], mode, seconds)
                found.setdefault(one.title, {}).setdefault(mode, []).append(taken)
    return found
