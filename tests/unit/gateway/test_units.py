"""The systemd units: valid, and as closed as the requirements ask (systemd-analyze, offline)."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[3] / "systemd"
UNITS = sorted((SYSTEMD / "units").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
THRESHOLD = {
    "filterd-compile.service": 5,
    "filterd-update.service": 5,
    # makes network namespaces, so it is root and may mount; a minute a day, and it serves nobody
    "filterd-firewall-check.service": 40,
}
"""Tenths of systemd's exposure score; everything else 15 (data plane, console, firewall)."""
PROGRAMS = (
    "usr/bin/python3",
    "usr/bin/filterd",
    "usr/lib/filterd/venv/bin/python",
    "usr/sbin/nft",
    "bin/kill",
)
analyze = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
)


@analyze
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_exposure_stays_under_the_limit(unit: Path) -> None:
    limit = THRESHOLD.get(unit.name, 15)
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager",
         f"--threshold={limit}", unit],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def verify(root: Path, *names: str) -> subprocess.CompletedProcess[str]:
    units = root / "usr/lib/systemd/system"
    units.mkdir(parents=True, exist_ok=True)
    for unit in UNITS:
        if not (units / unit.name).exists():
            shutil.copy(unit, units)
    for program in PROGRAMS:
        (root / program).parent.mkdir(parents=True, exist_ok=True)
        (root / program).write_text("#!/bin/sh\n")
        (root / program).chmod(0o755)
    return subprocess.run(
        ["systemd-analyze", "verify", f"--root={root}", "--man=no",
         "--recursive-errors=no", *names],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@analyze
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    done = verify(tmp_path, *(unit.name for unit in UNITS))
    assert done.returncode == 0 and not done.stderr, done.stderr


@analyze
def test_verify_would_find_a_mistake(tmp_path: Path) -> None:
    unit = tmp_path / "usr/lib/systemd/system/filterd.service"
    unit.parent.mkdir(parents=True)
    text = (SYSTEMD / "units/filterd.service").read_text()
    unit.write_text(text.replace("/usr/bin/filterd", "/usr/bin/filtered").replace("Type=", "Typ="))
    done = verify(tmp_path, "filterd.service")
    assert "filtered" in done.stderr and "Typ" in done.stderr


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_no_unit_leaves_a_core(unit: Path) -> None:
    assert "\nLimitCORE=0\n" in unit.read_text()


def test_the_filter_has_no_capability_and_gets_its_ports_from_systemd() -> None:
    service = (SYSTEMD / "units/filterd.service").read_text()
    assert "\nCapabilityBoundingSet=\n" in service and "Sockets=filterd.socket" in service
    assert "Type=notify" in service and re.search(r"^WatchdogSec=10$", service, re.M)
    assert "StartLimitIntervalSec=0" in service and "Restart=always" in service


def test_the_school_is_closed_before_the_network_is_up() -> None:
    closed = (SYSTEMD / "units/filterd-firewall-closed.service").read_text()
    assert "Before=network-pre.target" in closed and "DefaultDependencies=no" in closed
    opened = (SYSTEMD / "units/filterd-firewall.service").read_text()
    assert re.search(r"^After=filterd\.service", opened, re.M)


def test_web_pages_and_filter_are_different_users() -> None:
    users = {
        match[1]
        for name in ("filterd", "filterd-console", "filterd-portal")
        if (
            match := re.search(
                r"^User=(.+)$", (SYSTEMD / f"units/{name}.service").read_text(), re.M
            )
        )
    }
    assert users == {"filterd", "filterd-console", "filterd-portal"}
    declared = (SYSTEMD / "sysusers.conf").read_text()
    assert all(f"u {user} " in declared for user in users)
