"""A PostgreSQL of its own on loopback, in a temporary folder, run by an ordinary user."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """Debian's newest server, if it is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database; the server ends with the block."""
    bin_ = binaries()
    assert bin_ is not None
    # Not below pytest's own folder: every session that starts closes that to other users.
    home = Path(tempfile.mkdtemp(prefix="filterd-pg-"))
    user = getpass.getuser()
    before: list[str] = []
    if os.getuid() == 0:  # the server refuses to run as root
        user = "postgres"
        shutil.chown(home, user)
        before = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]
    data, port = home / "data", free_port()
    start = [*before, str(bin_ / "initdb"), "-D", str(data), "-U", "office", "-A", "trust",
             "-E", "UTF8", "--locale=C.UTF-8"]  # fmt: skip
    subprocess.run(start, check=True, capture_output=True, timeout=60, cwd="/")
    arguments = ["-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(home)]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen([*before, str(bin_ / "postgres"), *arguments], cwd="/",
                                  stdout=log, stderr=log)  # fmt: skip
    try:
        _wait(bin_, port, server)
        yield f"postgresql://office@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # "fast": it waits for nobody's connection
        server.wait(20)
        shutil.rmtree(home, ignore_errors=True)


def _wait(bin_: Path, port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    ready = [str(bin_ / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-U", "office"]
    while subprocess.run(ready, capture_output=True).returncode != 0:
        assert server.poll() is None, "postgres ended"
        assert time.monotonic() < deadline, "postgres did not start"
        time.sleep(0.1)
