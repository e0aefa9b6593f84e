"""`filterd doctor`: what is wrong on this box and what to do about it.

A check is a small function from the settings to findings; other modules add theirs to CHECKS.
"""

from __future__ import annotations

import argparse
import asyncio
import enum
import importlib
import json
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from filterd import RELEASED, config
from filterd.app import checked
from filterd.config import Settings
from filterd.control.client import CallError, ControlClient
from filterd.control.protocol import plain
from filterd.errors import ConfigError
from filterd.supervise.canary import filter_works
from filterd.supervise.holder import port_holder

_LOW_DISK_BYTES = 200 << 20
MORE_CHECKS: tuple[str, ...] = ("filterd.cli.doctor_gateway",)
"""Modules that export `CHECKS: tuple[Check, ...]`."""


class Level(enum.StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `advice` is shown when it is not ok."""

    check: str
    level: Level
    text: str
    advice: str = ""


Check = Callable[[Settings], Iterable[Finding]]


def register(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser("doctor", help="what is wrong on this box and what to do")
    command.add_argument("--config", metavar="FILE", help="settings of the service")
    command.add_argument("--json", action="store_true", help="findings as JSON")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0: nothing fails; 1: something does; 78: the settings cannot be read."""
    settings = config.load(config.find(arguments.config, system=True))
    checked.check(settings)
    found = [finding for check in all_checks() for finding in examine(check, settings)]
    if arguments.json:
        print(json.dumps(plain(found), ensure_ascii=False, indent=2))
    else:
        for finding in found:
            print(f"{finding.level.upper():<5} {finding.check:<10} {finding.text}")
            if finding.advice and finding.level is not Level.OK:
                print(f"{'':<17}→ {finding.advice}")
    return 1 if any(finding.level is Level.FAIL for finding in found) else 0


def all_checks() -> tuple[Check, ...]:
    """Every check of this installation, in the order in which they make sense."""
    more: list[Check] = []
    for module in MORE_CHECKS:
        more.extend(importlib.import_module(module).CHECKS)
    return (*CHECKS, *more)


def examine(check: Check, settings: Settings) -> list[Finding]:
    """Run one check; a check that breaks is a finding itself."""
    try:
        return list(check(settings))
    except (OSError, ValueError, ConfigError) as error:
        return [Finding(check.__name__, Level.WARN, f"could not be examined: {error}")]


def daemon(settings: Settings) -> Iterable[Finding]:
    """Whether the supervisor answers and decides."""
    try:
        status = ControlClient(settings.control_socket, 5).call("status.get")
    except CallError as error:
        yield Finding("daemon", Level.FAIL, f"filterd does not run here ({error})",
                      "start it: `filterd run` or `systemctl start filterd`")  # fmt: skip
        return
    alive = sum(worker["alive"] for worker in status["workers"])
    level = {"enforcing": Level.OK, "exposed": Level.FAIL}.get(status["state"], Level.WARN)
    yield Finding(
        "daemon", level,
        f"{status['state']}, revision {status['revision']}, {alive} of "
        f"{len(status['workers'])} workers",
        "look at the log: `journalctl -u filterd`",
    )  # fmt: skip


def answers(settings: Settings) -> Iterable[Finding]:
    """Whether a canary question through each listener comes out right."""
    for address in settings.listen.dns:
        if asyncio.run(filter_works(address, 2.0)):
            yield Finding("answers", Level.OK, f"{address} blocks and answers the canaries")
            continue
        holder = port_holder(address, socket.SOCK_DGRAM)
        yield Finding("answers", Level.FAIL, f"{address} does not filter; the port: {holder}",
                      "stop the other program, or change listen.dns")  # fmt: skip


def disk(settings: Settings) -> Iterable[Finding]:
    """Room for state."""
    path = settings.state_dir if settings.state_dir.exists() else settings.state_dir.parent
    free = shutil.disk_usage(path).free
    level = Level.OK if free > _LOW_DISK_BYTES else Level.WARN
    yield Finding("disk", level, f"{free >> 20} MiB free in {path}",
                  "make room: nothing can be saved on a full disk")  # fmt: skip


def state(settings: Settings) -> Iterable[Finding]:
    """Permissions and wholeness of the state directory."""
    if not settings.state_dir.exists():
        yield Finding("state", Level.WARN, f"{settings.state_dir} does not exist yet",
                      "it is made by the first start")  # fmt: skip
        return
    mode = settings.state_dir.stat().st_mode & 0o777
    if mode & 0o007:
        yield Finding("state", Level.FAIL, f"{settings.state_dir} is open to others ({mode:o})",
                      f"chmod 0700 {settings.state_dir}")  # fmt: skip
    database = settings.state_dir / "filterd.db"
    if database.exists():
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        level = Level.OK if said == "ok" else Level.FAIL
        yield Finding("state", level, f"{database}: {said}",
                      "restart: the newest backup is taken")  # fmt: skip
    if not (settings.state_dir / "lists" / "index.fdx").exists():
        yield Finding("state", Level.FAIL, "there are no compiled lists: nothing is answered",
                      "filterd lists compile")  # fmt: skip


def clock(settings: Settings) -> Iterable[Finding]:
    """A clock that schedules can be trusted to."""
    now = datetime.now(UTC)
    good = now > RELEASED
    yield Finding("clock", Level.OK if good else Level.FAIL, f"{now:%Y-%m-%d %H:%M} UTC",
                  "set the clock (NTP): until then the stricter rules hold")  # fmt: skip


CHECKS: tuple[Check, ...] = (daemon, answers, state, disk, clock)
