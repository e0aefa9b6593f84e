"""A box on which the real `filterd setup` may write: /etc, /var/lib and the network are its own.

Mounts and a network namespace of its own, kept by a shell; systemctl is a script that starts the
filter when setup restarts its unit. What systemd does with the units is the boot tests' part.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.e2e.school_net import PYTHON
from tests.lab.running import ROOT, until

PRELUDE = """
mount --make-rprivate /
for d in etc var/lib usr/share; do
  n=$1/$(echo $d | tr / -); mkdir -p $n.upper $n.work
  mount -t overlay overlay -o lowerdir=/$d,upperdir=$n.upper,workdir=$n.work /$d
done
mkdir -p /usr/share/filterd && ln -sfn $2/blocklists /usr/share/filterd/blocklists
ip link set lo up
for name in wan0 lan0; do
  ip link add $name type veth peer name ${name}x; ip link set ${name}x up; ip link set $name up
done
ip addr add 10.0.10.1/24 dev lan0
touch $1/ready
exec sleep 1000
"""
SYSTEMCTL = """#!/bin/sh
echo "$*" >> {folder}/systemctl.log
case "$*" in
"restart filterd.socket filterd.service")
  [ ! -e {folder}/pid ] || kill $(cat {folder}/pid)
  {environment} setsid {python} -m filterd run --config /etc/filterd/filterd.yaml \\
    >> {folder}/filterd.log 2>&1 < /dev/null &
  echo $! > {folder}/pid ;;
esac
"""


class SetupBox:
    """`start`, then `setup`, always `stop`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shell: subprocess.Popen[bytes] | None = None
        self.others: list[subprocess.Popen[bytes]] = []
        self.clock = folder / "clock"

    def start(self, environment: str = "") -> None:
        program = self.folder / "bin/systemctl"
        program.parent.mkdir()
        program.write_text(
            SYSTEMCTL.format(folder=self.folder, python=PYTHON, environment=environment)
        )
        program.chmod(0o755)
        self.shell = subprocess.Popen(
            ["unshare", "--mount", "--net", "sh", "-e", "-c", PRELUDE, "sh", self.folder, ROOT]
        )
        shell, ready = self.shell, self.folder / "ready"
        until(lambda: ready.exists() or shell.poll() is not None, 30, "the box")
        assert ready.exists(), "the box's mounts or links failed"

    def command(self, *command: str | Path) -> list[str | Path]:
        assert self.shell is not None
        path = f"PATH={self.folder}/bin:{os.environ['PATH']}:/usr/sbin:/sbin"
        enter = ["nsenter", "-t", str(self.shell.pid), "--mount", "--net", f"--wd={ROOT}"]
        return [*enter, "env", path, f"PYTHONPATH={ROOT}", *command]

    def run(self, *command: str | Path, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*command), capture_output=True, text=True, timeout=seconds, check=False
        )

    def beside(self, *command: str | Path) -> subprocess.Popen[bytes]:
        """Another program of this box; it ends with it."""
        started = subprocess.Popen(
            self.command(*command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.others.append(started)
        return started

    def setup(self, answers: str, *options: str) -> subprocess.CompletedProcess[str]:
        file = self.folder / "answers.yaml"
        file.write_text(answers, "utf-8")
        return self.run(PYTHON, "-m", "filterd", "setup", "--answers", file, *options)

    def told(self) -> list[str]:
        """What systemd was told, in order."""
        log = self.folder / "systemctl.log"
        return log.read_text().splitlines() if log.exists() else []

    def stop_filter(self) -> None:
        pid = self.folder / "pid"
        if pid.exists():
            number = int(pid.read_text())
            os.kill(number, signal.SIGTERM)
            until(lambda: not Path(f"/proc/{number}").exists(), 30, "the filter's end")
            pid.unlink()

    def stop(self) -> None:
        self.stop_filter()
        running: Sequence[subprocess.Popen[bytes]] = [*self.others, *filter(None, [self.shell])]
        for each in running:
            each.terminate()
        for each in running:
            each.wait(20)
