"""Putting an installation in place: compare, write, and tell systemd. Twice is the same as once."""

from __future__ import annotations

import difflib
import enum
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filterd import whole_files
from filterd.errors import FilterdError
from filterd.gateway import certificate
from filterd.gateway.answers import Answers
from filterd.gateway.written import CERTIFICATE, KEY, SYSCTL, UNBOUND, File

TIMEOUT_S = 120.0


class State(enum.StrEnum):
    """What writing a file would do."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Change:
    """A file and what happens to it; `difference` in unified form for a changed one."""

    file: File
    state: State
    difference: str = ""


def compare(wanted: Iterable[File], root: Path) -> tuple[Change, ...]:
    """What would change below `root`."""
    return tuple(_compare(file, _below(root, file)) for file in wanted)


def _compare(file: File, path: Path) -> Change:
    if not path.exists():
        return Change(file, State.NEW)
    have = path.read_text("utf-8", "replace")
    if have == file.text:
        return Change(file, State.SAME)
    if file.keep:
        return Change(file, State.KEPT)
    lines = difflib.unified_diff(
        have.splitlines(), file.text.splitlines(), f"{file.path} (now)", f"{file.path} (setup)", "",
        "", 2, "",
    )  # fmt: skip
    return Change(file, State.CHANGED, "\n".join(lines))


def write(changes: Iterable[Change], root: Path) -> tuple[Change, ...]:
    """Write what is new or changed, each file whole or not at all; returns what was written."""
    done = []
    for change in changes:
        if change.state in (State.NEW, State.CHANGED):
            put(_below(root, change.file), change.file.text, change.file.mode)
            done.append(change)
    return tuple(done)


def put(path: Path, text: str, mode: int) -> None:
    """One file, whole or not at all; FilterdError when it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        whole_files.replace(path, text.encode(), mode=mode)
    except OSError as error:
        raise FilterdError(f"{path} could not be written: {error.strerror}") from None


def make_certificate(answers: Answers, root: Path, at: datetime) -> str | None:
    """Make the certificate if there is none for these names; its fingerprint if one was made.

    One that a school put there itself stays.
    """
    place = root / CERTIFICATE.relative_to("/")
    if not answers.certificate:
        return None
    if place.exists() and set(answers.certificate) <= set(certificate.names_of(place.read_bytes())):
        return None
    if place.exists():
        raise FilterdError(f"{place} is for other names: move it away to have a new one made")
    made = certificate.make(answers.certificate, at)
    key = root / KEY.relative_to("/")
    put(key, made.key, 0o640 if answers.acme else 0o600)
    if answers.acme and root == Path("/"):
        shutil.chown(key, group="filterd")
    put(place, made.certificate, 0o644)
    return made.fingerprint


def start(
    answers: Answers, written: Sequence[Change], run: Callable[[Sequence[str]], None]
) -> None:
    """Tell systemd and the programs whose files changed; `run` executes one command."""
    paths = {change.file.path for change in written}
    if SYSCTL in paths:
        run(["sysctl", "-q", "--load", str(SYSCTL)])
    if UNBOUND in paths:
        run(["systemctl", "restart", "unbound.service"])
    run(["systemctl", "daemon-reload"])
    units = ["filterd.socket", "filterd.service", "filterd-console.service"]
    units += ["filterd-portal.service", "filterd-update.timer"]
    if answers.firewall:
        units += ["filterd-firewall-closed.service", "filterd-firewall.service"]
        units += ["filterd-firewall-refresh.timer", "filterd-firewall-check.timer"]
        units += ["filterd-paths.service"]
    # The closed rules come first: nothing passes unfiltered while the filter starts.
    run(["systemctl", "enable", *units])
    if answers.firewall:
        run(["systemctl", "start", "filterd-firewall-closed.service"])
    if written:
        run(["systemctl", "restart", "filterd.socket", "filterd.service"])
    run(["systemctl", "start", *(u for u in units if u != "filterd-firewall-closed.service")])
    if written and answers.firewall:
        run(["systemctl", "reload-or-restart", "filterd-firewall.service"])


def execute(command: Sequence[str]) -> None:
    """Run a command; FilterdError with what it said when it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise FilterdError(f"{' '.join(command)}: {error}") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise FilterdError(f"{' '.join(command)}: {' / '.join(said) or done.returncode}")


def missing(answers: Answers) -> tuple[str, ...]:
    """Debian packages that the answers need and this box has not."""
    wanted = {"nft": "nftables"} if answers.firewall else {}
    if answers.upstreams == "unbound":
        wanted["unbound"] = "unbound"
    return tuple(p for tool, p in wanted.items() if not shutil.which(tool, path=_SEARCH))


_SEARCH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


def _below(root: Path, file: File) -> Path:
    return root / file.path.relative_to("/")
