"""What an edit of the school's own list and an update without news cost; for `bench_lists`.

`python -m tests.bench.list_changes SETTINGS`: one update run over all sources of the catalogue, in
this process, whose processor time is what is printed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filterd.control.client import ControlClient
from filterd.lists import fetch
from filterd.lists.library import Library, Surroundings
from filterd.lists.refresher import Hooks, Refresher, Times
from filterd.lists.update import Fetching
from tests.bench import servers

SOURCES = 20
EDITS = 20
REFRESHES = 50


def running(folder: Path, index: Path, sample: str) -> dict[str, dict[str, Any]]:
    """A running filterd of one worker with these lists: `own_edit`, from the control call that
    saves the school's own list to the first refusal; `refreshes`, the worker's memory after the
    index was replaced many times; `memory`, that of the whole service."""
    folder.mkdir()
    with servers.stub(folder) as upstream:
        port = servers.free_port()
        config = servers.settings(folder, port, upstream)
        lists = folder / "state" / "lists"
        lists.mkdir(parents=True)
        for name in ("index-bench.fdx", "index-again.fdx"):
            shutil.copy(index, lists / name)
        (lists / "index.fdx").symlink_to("index-bench.fdx")
        command = [servers.filterd(), "run", "--config", str(config)]
        with servers.serve("filterd", "this tree", command, port, sample) as one:
            control = ControlClient(folder / "state/run/control.sock")
            until_up(control)
            spent = sorted(_edit(control, port, number) for number in range(EDITS))
            one.weigh()
            grown = _refreshes(control, one, lists)
    edits = {"edits": EDITS, "median_ms": spent[EDITS // 2], "worst_ms": spent[-1]}
    memory = {"rss_mib": round(one.rss_mib, 1), "pss_mib": round(one.pss_mib, 1)}
    return {"own_edit": edits, "refreshes": grown, "memory": memory}


def _refreshes(control: ControlClient, one: servers.Running, lists: Path) -> dict[str, Any]:
    """Memory of the worker after the first and the last of many replacements of the index."""
    sizes = []
    for number in range(REFRESHES + 1):
        link = lists / "index.new"
        link.symlink_to(("index-bench.fdx", "index-again.fdx")[number % 2])
        link.replace(lists / "index.fdx")
        control.call("lists.reload")
        sizes.append(_worker_mib(one))
    first, last = sizes[1], sizes[-1]
    return {
        "refreshes": REFRESHES, "first_mib": round(first, 1), "last_mib": round(last, 1),
        "growth_percent": round(100 * (last - first) / first, 1),
        "worst_step_mib": round(max(b - a for a, b in itertools.pairwise(sizes)), 1),
    }  # fmt: skip


def _worker_mib(one: servers.Running) -> float:
    """Memory that the worker shares with nobody: its map of the index is not counted."""
    found = 0
    for pid in one.workers():
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            found += sum(int(x.split()[1]) for x in lines if x.startswith("Private_Dirty"))
    return found / 1024


def until_up(control: ControlClient) -> None:
    """Wait until the supervisor has nothing left to do of its start: it answers before that."""
    deadline, quick = time.monotonic() + 180, 0
    while time.monotonic() < deadline and quick < 10:
        began = time.monotonic()
        with contextlib.suppress(Exception):
            control.call("policy.get")
            quick = quick + 1 if time.monotonic() - began < 1 else 0
        time.sleep(0.3)
    if not quick:
        raise RuntimeError("the control socket did not come up")


def _edit(control: ControlClient, port: int, number: int) -> float:
    """Milliseconds from the call to the first refusal; the answer was cached as allowed before."""
    name = f"h{number}.allowed-{number}.com"
    deadline = time.monotonic() + 30
    while servers.ask(port, name, 1.0) not in (0,) and time.monotonic() < deadline:
        time.sleep(0.01)
    text = "".join(f"h{each}.allowed-{each}.com\n" for each in range(number + 1))
    began = time.monotonic()
    control.call("lists.local_set", category="malware", text=text, reason="benchmark")
    while servers.ask(port, name, 1.0) != servers.NXDOMAIN:
        if time.monotonic() > began + 30:
            raise RuntimeError("the edit did not come into effect")
    return round((time.monotonic() - began) * 1e3, 1)


def unchanged(folder: Path) -> dict[str, Any]:
    """Twenty sources of nginx, over TLS, none of which has changed since the last run."""
    if shutil.which("nginx", path="/usr/sbin:/usr/bin") is None:
        return {"missing": "nginx"}
    folder.mkdir()
    with _nginx(folder) as (port, trust):
        entries = [
            f"  - {{id: s{n}, title: {{vi: x, en: x}}, category: ads,"
            f" url: 'https://localhost:{port}/{n}.txt'}}\n"
            for n in range(SOURCES)
        ]
        (folder / "catalogue.yaml").write_text("sources:\n" + "".join(entries))
        environment = {**os.environ, "SSL_CERT_FILE": str(trust)}
        command = [sys.executable, "-m", "tests.bench.list_changes", str(folder)]
        for _ in range(3):
            done = subprocess.run(
                command, env=environment, cwd=servers.ROOT, check=True, capture_output=True,
                text=True, timeout=120,
            )  # fmt: skip
            said: dict[str, Any] = json.loads(done.stdout)
    assert said["outcomes"] == ["unchanged"], said
    return {"sources": SOURCES, **said}


@contextlib.contextmanager
def _nginx(folder: Path) -> Iterator[tuple[int, Path]]:
    """The port of a web server with twenty lists, and the file of authorities that trusts it."""
    (folder / "www").mkdir()
    for number in range(SOURCES):
        text = "".join(f"n{n}.list{number}.example\n" for n in range(2000))
        (folder / "www" / f"{number}.txt").write_text(text)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    known = system.read_bytes() if system.exists() else b""
    (folder / "trust.pem").write_bytes(known + (folder / "cert.pem").read_bytes())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    (folder / "nginx.conf").write_text(
        f"{'user root;' if os.getuid() == 0 else ''} daemon off; worker_processes 1;\n"
        f"pid {folder}/nginx.pid; error_log {folder}/error.log;\nevents {{}}\n"
        f"http {{ access_log off; server {{ listen 127.0.0.1:{port} ssl; root {folder}/www;\n"
        f"ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; }} }}\n"
    )
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx"
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port, folder / "trust.pem"
    finally:
        process.terminate()
        process.wait(10)


async def _run(folder: Path) -> dict[str, Any]:
    async def use(_path: Path) -> None:
        """Nothing answers from these lists."""

    library = Library(
        Surroundings(folder / "lists", folder / "catalogue.yaml", ("ads",), frozenset)
    )
    library.store.prepare()
    hooks = Hooks(use, lambda _path: (), lambda: datetime.now(UTC))
    how = Fetching(fetch.Access(loopback=True))
    refresher = Refresher(library, hooks, how, Times(quiet=()))
    began, clock = time.process_time(), time.monotonic()
    outcomes = await refresher.update()
    return {
        "cpu_s": round(time.process_time() - began, 3),
        "wall_s": round(time.monotonic() - clock, 3),
        "outcomes": sorted({outcome.outcome.value for outcome in outcomes}),
        "why": next((outcome.why for outcome in outcomes if outcome.why), ""),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_run(Path(sys.argv[1])))))
