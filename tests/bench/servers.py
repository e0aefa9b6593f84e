"""Starting and ending the servers under measurement: pinned, on loopback, ended by pid."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.bench.load import LOAD_CORE, SERVER_CORE, memory_mib
from tests.bench.peers import Peer
from tests.lab.processes import descendants
from tests.lab.running import free_ports

ROOT = Path(__file__).parents[2]
NXDOMAIN = 3


@dataclass(slots=True)
class Running:
    """One started server."""

    title: str
    version: str
    port: int
    process: subprocess.Popen[bytes]
    start_seconds: float
    rss_mib: float = 0.0
    pss_mib: float = 0.0
    cpu_seconds: float = 0.0

    def pids(self) -> list[int]:
        """Every process of the server."""
        return descendants(self.process.pid)

    def workers(self) -> list[int]:
        """The worker processes of a filterd, forked or executed."""
        marks = {pid: _called(pid) for pid in self.pids()}
        return [pid for pid, name in marks.items() if b"filterd-worker" in name]

    def weigh(self) -> None:
        """Note its memory now, and the processor time that it took so far."""
        self.rss_mib, self.pss_mib = memory_mib(self.pids())
        ticks = sum(map(_ticks, self.pids()))
        self.cpu_seconds = round(ticks / os.sysconf("SC_CLK_TCK"), 1)


def _ticks(pid: int) -> int:
    """Processor time of a process and of its children that ended (proc(5): utime … cstime)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


def _called(pid: int) -> bytes:
    """What the process calls itself, and its command line in the same form."""
    try:
        name = Path(f"/proc/{pid}/comm").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
    return name.replace(b"filterd.worker", b"filterd-worker")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody holds now, neither for UDP nor for TCP."""
    return free_ports(1)[0]


def ask(port: int, name: str, wait: float = 0.05) -> int | None:
    """The rcode of one A question, None when no answer came in `wait` seconds."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(wait)
        client.connect(("127.0.0.1", port))
        try:
            client.send(b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1")
            return client.recv(2048)[3] & 15
        except OSError:
            return None


def build_stub(folder: Path) -> Path:
    """The C responder's program, made in `folder`; it takes a port."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "stub"
    source = Path(__file__).with_name("stub.c")
    build = ["gcc", "-O2", "-pthread", "-o", str(program), str(source)]
    subprocess.run(build, check=True, timeout=60)
    return program


@contextlib.contextmanager
def stub(folder: Path) -> Iterator[int]:
    """The stub upstream on the load core; yields its port."""
    program, port = build_stub(folder), free_port()
    command = ["taskset", "-c", str(LOAD_CORE), str(program), str(port)]
    with subprocess.Popen(command) as process:
        try:
            yield port
        finally:
            process.terminate()


def _pinned(cores: int) -> list[str]:
    return ["taskset", "-c", ",".join(str(SERVER_CORE + number) for number in range(cores))]


@contextlib.contextmanager
def serve(
    title: str,
    version: str,
    command: Sequence[str],
    port: int,
    listed: str,
    patience: float = 180,
    cores: int = 1,
) -> Iterator[Running]:
    """Start a server pinned to its core, or so many, and wait until it refuses a listed name."""
    path = shutil.which(command[0], path="/usr/sbin:/usr/bin:/bin") or command[0]
    began = time.monotonic()
    process = subprocess.Popen(
        [*_pinned(cores), path, *command[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while ask(port, listed) != NXDOMAIN:
            if process.poll() is not None:
                raise RuntimeError(f"{title} ended by itself: {' '.join(command)}")
            if time.monotonic() - began > patience:
                raise RuntimeError(
                    f"{title} did not start in {patience:.0f} s: {' '.join(command)}"
                )
        yield Running(title, version, port, process, time.monotonic() - began)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def serve_peer(
    peer: Peer,
    version: str,
    folder: Path,
    names: Path,
    upstream: int,
    listed: str,
    patience: float = 180,
) -> Iterator[Running]:
    """A peer from Debian with the list loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = peer.setup(folder, names, port, upstream)
    with serve(peer.title, version, command, port, listed, patience) as one:
        yield one


@contextlib.contextmanager
def floor(folder: Path, cores: int = 1, processes: int = 1) -> Iterator[Running]:
    """The stub in a server's place: what reading and answering alone cost, one decision not made.

    It answers everything with an address; the names that others refuse too.
    """
    port = free_port()
    command = [*_pinned(cores), str(folder / "stub"), str(port), str(processes)]
    with subprocess.Popen(command) as process:
        try:
            yield Running("C responder (the floor)", "this tree", port, process, 0.0)
        finally:
            process.terminate()


def settings(
    folder: Path,
    port: int,
    upstream: int,
    workers: int = 1,
    listen: Mapping[str, object] | None = None,
) -> Path:
    """filterd's settings for a benchmark; every source is staff, the list is `malware`."""
    policies = folder / "policies"
    shutil.copytree(ROOT / "policies", policies, dirs_exist_ok=True)
    school = yaml.safe_load((policies / "school.yaml").read_text("utf-8"))
    school["segments"] = [{"id": "bench", "network": "127.0.0.0/8", "tier": "staff"}]
    (policies / "school.yaml").write_text(yaml.safe_dump(school, allow_unicode=True), "utf-8")
    config = {
        "state_dir": str(folder / "state"),
        "workers": workers,
        "listen": {"dns": [f"127.0.0.1:{port}"], **(listen or {})},
        "upstreams": [f"udp://127.0.0.1:{upstream}"],
        "policies": str(policies),
        "catalogue": str(ROOT / "blocklists" / "catalogue.yaml"),
        "metrics": None,
        "console": None,
        "portal": None,
    }
    path = folder / "filterd.yaml"
    path.write_text(yaml.safe_dump(config), "utf-8")
    return path


def compile_lists(config: Path, folder: Path, names: Path) -> str:
    """Compile the list with the product's own command; returns its JSON line."""
    source = folder / "from"
    source.mkdir(parents=True, exist_ok=True)
    target = source / "malware.domains"
    target.unlink(missing_ok=True)
    target.symlink_to(names.resolve())
    done = subprocess.run(
        [filterd(), "lists", "compile", "--config", str(config), "--from", str(source), "--json"],
        check=True, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    return done.stdout.strip().splitlines()[-1]


def filterd() -> str:
    """The command of the environment that runs the benchmark."""
    return str(Path(sys.executable).with_name("filterd"))


@contextlib.contextmanager
def serve_filterd(
    folder: Path, names: Path, upstream: int, listed: str, workers: int = 1, cores: int = 1
) -> Iterator[Running]:
    """filterd from the compiled index, everything on as it ships."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = settings(folder, port, upstream, workers)
    compile_lists(config, folder, names)
    command = [filterd(), "run", "--config", str(config)]
    with serve("filterd", "this tree", command, port, listed, cores=cores) as one:
        yield one
