"""A signal during the start ends the start: systemd's stop, a power button, Ctrl-C."""

from __future__ import annotations

import fcntl
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import pytest

from tests.lab.running import RunningFilterd, until

PATIENCE_S = 15.0
"""For a busy machine. Before, the first of these took as long as compiling all lists, and the
second one for ever."""


def answers(box: RunningFilterd) -> bool:
    try:
        return box.outcome("allowed.canary.filterd.test") == "NOERROR 192.0.2.1"
    except (OSError, dns.exception.DNSException):
        return False


@pytest.fixture
def box(tmp_path: Path) -> Iterator[RunningFilterd]:
    made = RunningFilterd(tmp_path, {"workers": 1})
    yield made
    if made.process is not None:
        made.stop(signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_the_first_start_is_ended_while_lists_are_compiled(
    box: RunningFilterd, tmp_path: Path, number: int
) -> None:
    """Another program holds the lists, so that the start stands in their compilation."""
    lists = tmp_path / "var/lists"
    lists.mkdir(parents=True)
    with (lists / "lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        process = box.spawn()
        until(lambda: (lists / "local").is_dir(), 60, "the compilation's begin")
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0
    assert "Traceback" not in box.text()
    box.start()  # whatever was left half done is in nobody's way
    assert box.stop() == 0


def test_the_start_is_ended_while_the_database_is_locked(
    box: RunningFilterd, tmp_path: Path
) -> None:
    box.start()
    assert box.stop() == 0
    other = sqlite3.connect(tmp_path / "var/filterd.db", isolation_level=None)
    try:
        other.execute("begin exclusive")
        process = box.spawn()
        until(lambda: answers(box), 60, "the first answer")
        until(lambda: box.text().count("filtering goes on") == 2, 60, "a second try")
        assert answers(box)
        assert "is running" not in box.text()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0, time.monotonic() - began
    finally:
        other.close()
    assert "Traceback" not in box.text()
