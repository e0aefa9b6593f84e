"""The power goes at any moment of saving a policy, writing the audit or compiling lists."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.lists.index import open_index
from filterd.live import read_snapshot
from tests.lab.power import cut, make_image, mounted, need
from tests.lab.running import ROOT, RunningFilterd

pytestmark = pytest.mark.root


class Writer:
    """Saves one override after the other; `saved` counts those that were acknowledged."""

    def __init__(self, filterd: RunningFilterd, socket: Path) -> None:
        self._control = filterd.control
        self._control.path = str(socket)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.revision = 0

    def _run(self) -> None:
        number = 0
        while not self._ended.is_set():
            number += 1
            added = self._control.call(
                "overrides.add", name=f"n{number % 20}.example", allow=False, minutes=60,
                reason=f"lần {number}",
            )  # fmt: skip
            self.revision = int(added["revision"])

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


@contextlib.contextmanager
def compiling(filterd: RunningFilterd) -> Iterator[subprocess.Popen[bytes]]:
    """Lists compiled over and over beside it."""
    loop = (
        "import subprocess, sys\n"
        f"command = [sys.executable, '-m', 'filterd', 'lists', 'compile', '--config', "
        f"{str(filterd.config)!r}]\n"
        "while True:\n    subprocess.run(command, stdout=-3, stderr=-3)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", loop], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def state_of(var: Path) -> int:
    """The newest revision in a state directory that must be whole; asserts that it is."""
    database = sqlite3.connect(var / "filterd.db")
    try:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        numbers = [row[0] for row in database.execute("SELECT number FROM revisions ORDER BY 1")]
        assert numbers == list(range(1, len(numbers) + 1))
        seals = database.execute("SELECT previous, seal FROM audit ORDER BY id").fetchall()
        assert all(later[0] == earlier[1] for earlier, later in itertools.pairwise(seals))
        # a revision and its line in the audit log are one save: neither without the other
        told = database.execute("SELECT target FROM audit WHERE action LIKE 'policy.%'").fetchall()
        revisions = sorted(target for (target,) in told if target.startswith("revision "))
        assert set(revisions) >= {f"revision {number}" for number in numbers[1:]}
        assert len(revisions) == len(set(revisions)) <= len(numbers)
    finally:
        database.close()
    snapshot = read_snapshot(var / "run" / "policy-last.json")
    assert snapshot is not None and snapshot.revision <= numbers[-1]
    index = (var / "lists" / "index.fdx").resolve()
    assert open_index(index).version
    return int(numbers[-1])


@pytest.mark.parametrize(
    "cuts",
    [10, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_every_acknowledged_save_is_there_after_a_cut(tmp_path: Path, cuts: int) -> None:
    need()
    chance = random.Random(5)
    image, copy = make_image(tmp_path / "disk"), tmp_path / "copy"
    with mounted(image, tmp_path / "on") as disk:
        filterd = RunningFilterd(tmp_path, {"workers": 1, "state_dir": str(disk / "var")})
        try:
            filterd.start()
            assert filterd.process is not None
            with (
                Writer(filterd, disk / "var" / "run" / "control.sock") as writer,
                compiling(filterd) as compiler,
            ):
                for _ in range(cuts):
                    time.sleep(chance.uniform(0.02, 0.3))
                    acknowledged = writer.revision
                    cut(image, copy, [filterd.process.pid, compiler.pid])
                    with mounted(copy, tmp_path / "after") as after:
                        assert state_of(after / "var") >= acknowledged
            assert writer.revision >= cuts // 2, "hardly anything was saved meanwhile"
            starts_from(copy, tmp_path, writer.revision)
        finally:
            filterd.stop()


def starts_from(copy: Path, folder: Path, most: int) -> None:
    """The box comes up from what the last cut left, filters, and takes edits."""
    with mounted(copy, folder / "again") as disk:
        home = folder / "home"
        home.mkdir()
        again = RunningFilterd(home, {"workers": 1, "state_dir": str(disk / "var")})
        try:
            again.start()
            assert again.outcome("porn.canary.filterd.test", "primary").startswith("NXDOMAIN")
            control = again.control
            control.path = str(disk / "var" / "run" / "control.sock")
            assert control.call("audit.verify")["ok"]
            assert control.call("policy.get")["revision"] <= most
            assert "damaged" not in again.text()
        finally:
            again.stop()


def test_a_cut_without_flushing_would_be_noticed(tmp_path: Path) -> None:
    """The harness itself: what nobody flushed is not on the copy, what was flushed is."""
    need()
    image, copy = make_image(tmp_path / "disk", 16), tmp_path / "copy"
    with mounted(image, tmp_path / "on") as disk:
        kept, lost = disk / "kept", disk / "lost"
        with kept.open("wb") as file:
            file.write(b"x" * 5000)
            file.flush()
            os.fsync(file.fileno())
        lost.write_bytes(b"y" * 5000)
        cut(image, copy, [])
        with mounted(copy, tmp_path / "after") as after:
            assert (after / "kept").read_bytes() == b"x" * 5000
            assert not (after / "lost").exists() or (after / "lost").read_bytes() != b"y" * 5000
