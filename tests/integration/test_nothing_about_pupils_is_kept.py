"""Ten thousand questions of made-up pupils, then every octet the service wrote or shows is read.

No file, table, log, metric or backup holds a client together with a name; and what a day's marks
of clients are made from is gone the next day.
"""

from __future__ import annotations

import base64
import os
import random
import re
import resource
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.control import archive
from filterd.metrics.seen import Seen
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.packets import query
from tests.lab.running import ROOT, RunningFilterd, until

QUESTIONS = 10_000
PUPILS = [f"127.0.12.{number}" for number in range(31, 191)]
MARK = "zq" + secrets.token_hex(4)
"""A word that stands in every name the pupils ask for and nowhere else."""


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFilterd]:
    """filterd after a lesson of ten thousand questions, allowed and blocked."""
    with LyingUpstream() as upstream:
        made = RunningFilterd(
            tmp_path_factory.mktemp("pupils"), {"upstreams": [upstream.url], "workers": 2}
        )
        try:
            made.start()
            _lesson(made.port)
            yield made
        finally:
            made.stop()


def _lesson(port: int) -> None:
    chance = random.Random(3)
    sockets = []
    for pupil in PUPILS:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((pupil, 0))
        sock.connect(("127.0.0.1", port))
        sock.settimeout(2)
        sockets.append(sock)
    answered = 0
    for number in range(QUESTIONS):
        sock = chance.choice(sockets)
        if number % 20 == 0:
            name = "porn.canary.filterd.test"
        else:
            name = f"good.{MARK}{chance.randrange(300)}.example"
        sock.send(query(name, ident=number & 0xFFFF))
        try:
            sock.recv(2048)
            answered += 1
        except TimeoutError:
            pass
    for sock in sockets:
        sock.close()
    assert answered > 0.99 * QUESTIONS


def _octets(used: RunningFilterd) -> dict[str, bytes]:
    """Everything written, and every row of every table once more as text."""
    found = {str(used.config): b"", str(used.log): used.log.read_bytes()}
    for file in (used.folder / "var").rglob("*"):
        if file.is_file() and not file.name.endswith(".fdx"):
            found[str(file)] = file.read_bytes()
    copy = used.folder / "copy.db"
    with sqlite3.connect(used.folder / "var" / "filterd.db") as source, sqlite3.connect(copy) as to:
        source.backup(to)
    found["every table"] = "\n".join(to.iterdump()).encode()
    to.close()
    source.close()
    return found


def _telling(octets: bytes) -> list[str]:
    """Which pupils' addresses or names asked stand in it, in text or packed."""
    written = {match[0].decode() for match in re.finditer(rb"127\.0\.12\.\d+", octets)}
    found = [pupil for pupil in PUPILS if pupil in written]
    found += [pupil for pupil in PUPILS if b"\xff\xff" + socket.inet_aton(pupil) in octets]
    return found + [MARK] * (MARK.encode() in octets)


def test_no_file_table_log_or_backup_names_a_pupil_or_what_was_asked(used: RunningFilterd) -> None:
    used.control.call("status.get")
    for where, octets in _octets(used).items():
        assert not _telling(octets), where


@pytest.mark.parametrize("path", ["/metrics", "/metrics/local"])
def test_no_metric_names_one(used: RunningFilterd, path: str) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{used.metrics}{path}", timeout=5) as answer:
        shown = answer.read()
    assert b"filterd_" in shown
    assert not _telling(shown)
    assert b"canary.filterd.test" not in shown


def test_a_backup_names_none(used: RunningFilterd) -> None:
    passphrase = "một câu dài để thử"
    made = used.control.call("backup.export", passphrase=passphrase)
    content = archive.unseal(base64.b64decode(made["archive"]), passphrase)
    assert "policy" in content
    assert not _telling(repr(content).encode())


def test_no_core_is_written_by_a_worker(used: RunningFilterd) -> None:
    """The memory of a worker knows both; a core file would put it on the disk."""
    worker = used.control.call("status.get")["workers"][0]["pid"]
    limits = Path(f"/proc/{worker}/limits").read_text()
    line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert line.split()[4:6] == ["0", "0"], line
    os.kill(worker, signal.SIGSEGV)
    until(
        lambda: used.control.call("status.get")["workers"][0]["pid"] not in (worker, None),
        what="the replacement",
    )
    cores = [path for path in used.folder.rglob("core*") if path.is_file()]
    assert not cores


UNLIMITED = (
    "import resource as r; hard = r.getrlimit(r.RLIMIT_CORE)[1];"
    "r.setrlimit(r.RLIMIT_CORE, (hard, hard)); r.setrlimit = lambda *_: None;"
)
"""Whoever begins so may leave the largest core its machine allows, and cannot forbid that."""
SPEAKER = "import socket, sys; socket.socket(fileno=int(sys.argv[2])).send(b'x'); input()"
WORKER = "import filterd.worker; filterd.worker.main()"


def _crash(program: str, folder: Path) -> int:
    """How a Python that runs this ended when it crashed after its first word on the link."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(30)
        child = subprocess.Popen(
            [sys.executable, "-c", UNLIMITED + program, "--link", str(theirs.fileno())],
            cwd=folder, pass_fds=[theirs.fileno()], env={"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert ours.recv(1)
        finally:
            child.send_signal(signal.SIGSEGV)
            _, status = os.waitpid(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            assert child.stdin is not None
            child.stdin.close()
    return status


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_CORE)[1] == 0, reason="no cores are allowed here at all"
)
def test_a_worker_leaves_no_core_even_where_no_limit_holds(tmp_path: Path) -> None:
    """A program behind core_pattern gets a core whatever the limit is, but not a worker's."""
    somebody, worker = _crash(SPEAKER, tmp_path), _crash(WORKER, tmp_path)
    assert os.WCOREDUMP(somebody), "no core of anybody: this shows nothing here"
    assert os.WTERMSIG(worker) == signal.SIGSEGV
    assert not os.WCOREDUMP(worker)


def test_a_client_has_another_mark_every_day() -> None:
    """Requirement T9: with the day's key gone, nothing links a client to the day before."""
    seen = Seen(secrets.token_bytes(16))
    client = bytes(10) + b"\xff\xff" + socket.inet_aton("10.1.2.3")
    others = [bytes(10) + b"\xff\xff" + socket.inet_aton(f"10.1.2.{n}") for n in range(4, 250)]
    before = [seen.tag(each) for each in (client, *others)]
    seen.take(secrets.token_bytes(16))
    after = [seen.tag(each) for each in (client, *others)]
    same = sum(one == two for one, two in zip(before, after, strict=True))
    assert same < len(before) / 4
