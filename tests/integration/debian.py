"""Debian roots and the package for tests: debootstrapped, built, put over each other."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("debootstrap", "dpkg-deb", "unshare", "strip")
RELEASES = {"bookworm": "3.11", "trixie": "3.13"}
DEPENDS = (
    "python3,libpango-1.0-0,libpangoft2-1.0-0,nftables,iproute2,procps,tzdata,fonts-dejavu-core,"
    "ca-certificates,systemd,systemd-sysv,dbus"
)
OURS_TO_IGNORE = ("./tmp", "./var/lib/dpkg", "./var/cache", "./var/log", "./run", "./proc")


def build(folder: Path, python: str) -> Path:
    done = subprocess.run(
        [sys.executable, ROOT / "systemd/deb/build.py", "--out", folder, "--python", python],
        capture_output=True, text=True, timeout=800,
    )  # fmt: skip
    if done.returncode and python not in sys.version:
        pytest.skip(f"no wheels for Python {python} here: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip().splitlines()[-1])


def repacked(package: Path, version: str, folder: Path) -> Path:
    """The same package saying that it is another version."""
    tree = folder / f"tree-{version}"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True, timeout=200)
    control = (tree / "DEBIAN/control").read_text()
    old = next(line for line in control.splitlines() if line.startswith("Version: "))[9:]
    (tree / "DEBIAN/control").write_text(control.replace(f"Version: {old}", f"Version: {version}"))
    preinst = tree / "DEBIAN/preinst"
    preinst.write_text(preinst.read_text().replace(old.partition("+")[0], version))
    target = folder / f"filterd_{version}.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, target]
    subprocess.run(command, check=True, timeout=200, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    return target


@dataclass
class Box:
    """A Debian root; nothing inside reaches a network."""

    path: Path

    def run(self, script: str, code: int = 0) -> str:
        inside = f"mount -t proc proc /proc; ip link set lo up; {script}"
        done = subprocess.run(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "chroot", self.path,
             "sh", "-c", inside],
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def install(self, package: Path, code: int = 0) -> str:
        shutil.copy(package, self.path / "tmp/filterd.deb")
        return self.run("dpkg -i /tmp/filterd.deb", code)

    def everything(self) -> set[str]:
        """Every path that a purge has to leave as it was."""
        found = subprocess.run(
            ["find", ".", "-xdev"], cwd=self.path, capture_output=True, text=True, check=True
        )
        return {p for p in found.stdout.splitlines() if not p.startswith(OURS_TO_IGNORE)}


def debootstrap(name: str, folder: Path) -> Path:
    """A minimal root of that release; the test is skipped where none can be had."""
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={DEPENDS}", name, folder / "root",
         "http://deb.debian.org/debian"],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"Debian {name} cannot be had here: {done.stdout.strip()[-200:]}")
    return folder / "root"


@contextlib.contextmanager
def overlay(root: Path, folder: Path) -> Iterator[Path]:
    """A throw-away layer over the root."""
    for name in ("upper", "work", "merged"):
        (folder / name).mkdir()
    layers = f"lowerdir={root},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    merged = str(folder / "merged")
    mount = ["mount", "-t", "overlay", "overlay", "-o", layers, merged]
    subprocess.run(mount, check=True, timeout=20)
    try:
        yield folder / "merged"
    finally:
        subprocess.run(["umount", "-l", merged], check=False)
