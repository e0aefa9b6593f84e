"""`filterd run` when things go wrong: it goes on or says why not, and never lets through."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dns.edns
import dns.exception
import dns.rcode
import pytest

from filterd.control.client import CallError
from tests.lab.running import ROOT, RunningFilterd, until

BLOCKED = "thu-nghiem.example"


@pytest.fixture
def filterd(tmp_path: Path) -> Iterator[RunningFilterd]:
    made = RunningFilterd(tmp_path, {"workers": 1})
    yield made
    if made.process is not None:
        made.stop(signal.SIGKILL)


def block(filterd: RunningFilterd) -> int:
    """An override of the school; its revision."""
    return int(
        filterd.control.call(
            "overrides.add", name=BLOCKED, allow=False, minutes=60, reason="thử nghiệm"
        )["revision"]
    )


def is_blocked(filterd: RunningFilterd) -> bool:
    return filterd.outcome(BLOCKED, "staff").startswith("NXDOMAIN")


def test_overrides_and_accounts_survive_restarts_and_damage(filterd: RunningFilterd) -> None:
    database = filterd.folder / "var" / "filterd.db"
    filterd.start()
    revision = block(filterd)
    assert filterd.stop(signal.SIGINT) == 0

    filterd.start()
    assert is_blocked(filterd)
    assert "admin  " not in filterd.text(), "the password is shown once"
    filterd.stop(signal.SIGKILL)  # the supervisor dies: its workers end with the link

    database.write_bytes(b"\0" * database.stat().st_size)
    filterd.start()
    assert is_blocked(filterd), "the last policy is known without the database"
    assert "was damaged" in filterd.text()
    assert list(database.parent.glob("filterd.db.damaged-*"))
    history = filterd.control.call("policy.history")["items"]
    assert history[0]["author"] == "filterd" and revision >= 2
    assert filterd.stop() == 0


def test_a_locked_database_does_not_delay_an_answer(filterd: RunningFilterd) -> None:
    filterd.start()
    block(filterd)
    filterd.stop()
    other = sqlite3.connect(filterd.folder / "var" / "filterd.db", isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    filterd.spawn()
    until(lambda: "locked by another program" in filterd.text(), 60, "the complaint")
    until(lambda: answers(filterd), 30, "an answer")
    assert is_blocked(filterd)
    other.execute("ROLLBACK")
    other.close()
    until(lambda: "is running" in filterd.text(), 60, "the whole start")


def answers(filterd: RunningFilterd) -> bool:
    """Who is killed takes the question with it that it had read: as any client, ask again."""
    for left in (2, 1, 0):
        try:
            return filterd.outcome("allowed.canary.filterd.test").endswith("192.0.2.1")
        except OSError:
            return False
        except dns.exception.Timeout:
            if not left:
                raise
    return False


def test_lists_that_cannot_be_read_answer_nothing_and_say_what_to_run(
    filterd: RunningFilterd,
) -> None:
    filterd.start()
    filterd.stop()
    link = filterd.folder / "var" / "lists" / "index.fdx"
    real = link.resolve()
    good = real.read_bytes()
    real.write_bytes(good[: len(good) // 2])
    filterd.start()
    answer = filterd.ask("www.example.com", "127.0.14.1")
    assert answer.rcode() == dns.rcode.SERVFAIL
    assert 14 in [int(o.code) for o in answer.options if isinstance(o, dns.edns.EDEOption)]
    assert "filterd lists compile" in filterd.text()
    assert filterd.control.call("status.get")["state"] == "exposed"
    real.unlink()
    real.with_name("index-repaired.fdx").write_bytes(good)
    link.unlink()
    link.symlink_to("index-repaired.fdx")
    assert filterd.process is not None
    filterd.process.send_signal(signal.SIGHUP)
    until(lambda: answers(filterd), 10, "the repaired lists")
    assert filterd.control.call("status.get")["state"] == "enforcing"


def test_lists_of_an_older_filterd_are_compiled_again_at_the_start(filterd: RunningFilterd) -> None:
    """An upgrade that changes the format of the index leaves nobody unfiltered or offline."""
    filterd.start()
    filterd.stop()
    real = (filterd.folder / "var" / "lists" / "index.fdx").resolve()
    old = bytearray(real.read_bytes())
    struct.pack_into("<I", old, 8, 1)
    real.write_bytes(old)
    filterd.start()
    until(lambda: answers(filterd), 60, "the lists compiled again")
    assert filterd.outcome("porn.canary.filterd.test").startswith("NXDOMAIN")
    assert "has index format 1" in filterd.text()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
def test_a_full_disk_refuses_the_edit_and_nothing_else(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=True)
    filterd = RunningFilterd(tmp_path, {"workers": 1, "state_dir": str(disk / "var")})
    try:
        filterd.start()
        control = filterd.control
        control.path = str(disk / "var" / "run" / "control.sock")
        before = control.call("policy.get")["revision"]
        with (disk / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"\0" * 4096)
            except OSError:
                pass
        with pytest.raises(CallError) as caught:
            for _ in range(40):  # the WAL may still have room for the first ones
                control.call(
                    "overrides.add", name=BLOCKED, allow=False, minutes=9, reason="đầy đĩa"
                )
        assert caught.value.code == "unavailable" and "nothing was saved" in str(caught.value)
        stored = control.call("policy.get")["revision"]
        assert answers(filterd)
        (disk / "filler").unlink()
        added = control.call(
            "overrides.add", name="sau.example", allow=False, minutes=9, reason="đã dọn đĩa"
        )
        assert added["revision"] == stored + 1 > before
        assert control.call("audit.verify")["ok"]
    finally:
        filterd.stop(signal.SIGKILL)
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_systemd_hears_ready_and_life_only_from_a_working_filter(
    filterd: RunningFilterd, tmp_path: Path
) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(path))
        heard.settimeout(30)
        filterd.start({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"})
        assert b"READY=1" in heard.recv(1000)
        assert heard.recv(1000) == b"WATCHDOG=1"
        link = filterd.folder / "var" / "lists" / "index.fdx"
        for worker in filterd.control.call("status.get")["workers"]:
            link.resolve().write_bytes(b"broken")
            os.kill(worker["pid"], signal.SIGKILL)
        until(lambda: not answers(filterd), 10, "the broken lists")
        heard.settimeout(0.1)
        with pytest.raises(TimeoutError):
            while True:
                heard.recv(1000)
        heard.settimeout(1.5)
        with pytest.raises(TimeoutError):
            while b"WATCHDOG" not in (said := heard.recv(1000)):
                pass
            assert not said


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"wrkers": 2}, "wrkers: is not a setting — did you mean `workers`?"),
        ({"policies": "/nowhere"}, "holds no policy"),
        ({"catalogue": "/nowhere/catalogue.yaml"}, "/nowhere/taxonomy.yaml"),
        ({"state_dir": "/proc/filterd"}, "cannot be used"),
    ],
)
def test_settings_that_cannot_work_end_with_78(
    filterd: RunningFilterd, settings: dict[str, object], says: str
) -> None:
    filterd.settings.update(settings)
    assert filterd.spawn().wait(60) == 78
    assert says in filterd.text()
    assert "Traceback" not in filterd.text()


def test_a_start_that_fails_after_the_workers_were_launched_leaves_none_behind(
    filterd: RunningFilterd, tmp_path: Path
) -> None:
    """Worker processes begin before the policy is read; what then cannot work ends them too."""
    shipped = tmp_path / "blocklists"
    shutil.copytree(ROOT / "blocklists", shipped)
    (shipped / "services.yaml").write_text("services: [", "utf-8")
    filterd.settings["catalogue"] = str(shipped / "catalogue.yaml")
    process = filterd.spawn()
    assert process.wait(60) == 78
    assert "services.yaml" in filterd.text()
    until(lambda: is_free(filterd.port), 10, "the workers' end: they hold the sockets")


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
