"""A gateway with a real systemd: package, setup, units in their sandbox, a kill, a power cut.

Boots Debian 12 and 13 containers (systemd-nspawn) without network but two veth pairs. Slow.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.school_net import run
from tests.integration.debian import NEEDED, RELEASES, build, debootstrap, overlay

ANSWERS = """
school: {name: Trường thử}
interfaces: {internet: wan0, school: [lan0]}
segments: [{network: 10.0.10.0/24, tier: primary}]
upstreams: ["udp://198.51.100.53"]
certificate: {names: [loc.truong.vn]}
console: "10.0.10.1:8053"
administrator: co.lan
"""
DIG = """
import socket, struct
q = struct.pack("!6H", 9, 256, 1, 0, 0, 0)
q += b"".join(bytes([len(x)]) + x.encode() for x in "allowed.canary.filterd.test".split("."))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)
s.sendto(q + b"\\0\\0\\1\\0\\1", ("10.0.10.1", 53)); print(socket.inet_ntoa(s.recv(512)[-4:]))
"""
SIGN_IN = """
import urllib.request
print(urllib.request.urlopen("http://10.0.10.1:8053/", timeout=10).geturl())
"""
UNITS = (
    *("filterd", "filterd-console", "filterd-portal", "filterd-compile", "filterd-firewall"),
    *("filterd-paths", "filterd-firewall-check", "filterd-canary"),
)
WHEN = ("systemctl", "show", "--value", "-p", "ActiveEnterTimestampMonotonic")
TOOLS = (*NEEDED, "systemd-nspawn", "nsenter")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.skipif(
        not all(shutil.which(tool) for tool in TOOLS), reason=f"needs {', '.join(TOOLS)}"
    ),
]


class Machine:
    """A booted container."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.process: subprocess.Popen[bytes] | None = None
        self.init = ""
        self.said = ""

    def boot(self) -> None:
        self.process = subprocess.Popen(
            ["systemd-nspawn", "--register=no", "--keep-unit", "--private-network", "--boot",
             "--capability=CAP_NET_ADMIN", "-D", self.root],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(self._has_init, "no container")
        for number, (lan, address) in enumerate(
            (("lan0", "10.0.10.1/24"), ("wan0", "203.0.113.1/24"))
        ):
            outside = f"fn{os.getpid()}{number}"
            subprocess.run(["ip", "link", "del", outside], capture_output=True, check=False)
            run("ip", "link", "add", outside, "type", "veth", "peer", "name", lan,
                "netns", self.init)  # fmt: skip
            run("nsenter", "-t", self.init, "-n", "ip", "addr", "add", address, "dev", lan)
            run("nsenter", "-t", self.init, "-n", "ip", "link", "set", lan, "up")
        ready = ("running", "degraded")
        until(lambda: self.ask("systemctl", "is-system-running").strip() in ready, "no boot")

    def _has_init(self) -> bool:
        """Whether one of nspawn's children is systemd already; the others prepare and go."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for number in children.read_text().split():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{number}/comm").read_text() == "systemd\n":
                    self.init = number
                    return True
        return False

    def ask(self, *command: str) -> str:
        """What the command prints, whatever its exit code."""
        enter = ["nsenter", "-t", self.init, "-m", "-u", "-i", "-n", "-p"]
        done = subprocess.run(
            [*enter, *command], capture_output=True, text=True, timeout=200, check=False
        )
        return done.stdout + done.stderr

    def power_off(self) -> None:
        assert self.process is not None
        subprocess.run(["kill", "-9", self.init], check=False)
        self.process.wait(30)


def until(ready: Callable[[], bool], why: str, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, why
        time.sleep(0.3)


@pytest.fixture(scope="module", params=RELEASES)
def machine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp(request.param)
    root = debootstrap(request.param, folder)
    package = build(folder / "build", RELEASES[request.param])
    with overlay(root, folder) as merged:
        shutil.copy(package, merged / "root/filterd.deb")
        (merged / "root/answers.yaml").write_text(ANSWERS)
        made = Machine(merged)
        try:
            made.boot()
            made.ask("dpkg", "-i", "/root/filterd.deb")
            made.said = made.ask("filterd", "setup", "--answers", "/root/answers.yaml")
            yield made
        finally:
            if made.process is not None:
                made.power_off()


def failing(machine: Machine) -> list[str]:
    found = json.loads(machine.ask("filterd", "doctor", "--json"))
    return [f"{f['check']}: {f['text']}" for f in found if f["level"] == "fail"]


def test_after_setup_doctor_is_green(machine: Machine) -> None:
    until(lambda: failing(machine) == [], f"{failing(machine)}", 240)
    assert machine.ask("systemctl", "--failed", "--plain", "--no-legend").strip() == ""
    out = json.loads(machine.ask("filterd", "firewall", "check", "--json"))
    assert out["ok"], out


def test_setup_prints_the_first_password_and_twice_is_once(machine: Machine) -> None:
    assert re.search(r"^    co\.lan  ([a-z2-9]{5}-){3}[a-z2-9]{5}$", machine.said, re.M), (
        machine.said
    )
    again = machine.ask("filterd", "setup", "--answers", "/root/answers.yaml")
    assert "CHANGED" not in again and "NEW" not in again, again
    dry = machine.ask("filterd", "setup", "--answers", "/root/answers.yaml", "--dry-run")
    assert "co.lan" not in dry and dry.count("SAME") >= 5, dry


def test_the_evidence_has_its_check_and_its_counts(machine: Machine) -> None:
    """By their own units, inside their sandboxes."""
    machine.ask("systemctl", "start", "filterd-firewall-check.service")
    log = machine.ask("journalctl", "--no-pager", "-o", "cat", "-u", "filterd-firewall-check")
    report = json.loads((machine.root / "var/lib/filterd/run/firewall-check.json").read_text())
    assert report["findings"] and all(each["good"] for each in report["findings"]), log
    assert len(report["findings"]) > 6, report  # the test client was there, too
    assert "active" in machine.ask("systemctl", "is-active", "filterd-firewall-check.timer")
    paths = machine.root / "var/lib/filterd/run/paths.json"
    until(paths.exists, machine.ask("journalctl", "--no-pager", "-u", "filterd-paths"), 120)
    tables = machine.ask("nft", "list", "tables")
    assert "inet filterd_paths" in tables and "inet filterd\n" in tables, tables


def test_the_canary_for_keepalived_runs_in_its_sandbox(machine: Machine) -> None:
    machine.ask("systemctl", "start", "filterd-canary.service")
    shown = ("cat", "/run/filterd-canary/failing")
    until(lambda: machine.ask(*shown).strip() == "0", machine.ask("systemctl", "status",
          "filterd-canary", "--no-pager"), 120)  # fmt: skip


def test_the_console_reaches_the_filter_from_its_own_user(machine: Machine) -> None:
    assert "sign-in" in machine.ask("/usr/lib/filterd/venv/bin/python", "-c", SIGN_IN)
    socket_path = "/var/lib/filterd/run/control.sock"
    script = f"import socket; socket.socket(socket.AF_UNIX).connect('{socket_path}'); print('in')"
    for user, group, expected in (
        ("filterd-console", "filterd-console", "in"),
        ("nobody", "nogroup", "Permission"),
    ):
        become = ("setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups")
        said = machine.ask(*become, "python3", "-c", script)
        assert expected in said, said


def test_nothing_in_the_sandbox_was_denied(machine: Machine) -> None:
    units = [word for unit in UNITS for word in ("-u", unit)]
    log = machine.ask("journalctl", "--no-pager", "-o", "cat", *units)
    assert "Operation not permitted" not in log and "Traceback" not in log, log[-3000:]


def test_a_killed_filter_is_back_at_once(machine: Machine) -> None:
    machine.ask("systemctl", "kill", "--signal=KILL", "filterd.service")
    until(lambda: "192.0.2.1" in machine.ask("python3", "-c", DIG), "not back", 120)


def test_after_a_power_cut_closed_first_then_filtering(machine: Machine) -> None:
    machine.power_off()
    machine.boot()
    until(lambda: "192.0.2.1" in machine.ask("python3", "-c", DIG), "not back", 240)
    until(lambda: machine.ask("systemctl", "is-active", "filterd-firewall").strip() == "active", "")

    def when(unit: str) -> int:
        return int(machine.ask(*WHEN, unit))

    assert when("filterd-firewall-closed") < when("filterd") < when("filterd-firewall")
    # READY says that questions are answered; the control socket follows when the database is open
    until(lambda: failing(machine) == [], f"{failing(machine)}", 240)
