"""The Debian package in fresh Debian 12 and 13 roots: installed, run, upgraded, refused, purged.

Slow: builds the package twice and debootstraps two roots. Everything inside runs without network.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
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
    "ca-certificates,systemd"
)
OURS_TO_IGNORE = ("./tmp", "./var/lib/dpkg", "./var/cache", "./var/log", "./run", "./proc")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="chroot and mounts need root"),
    pytest.mark.skipif(
        not all(shutil.which(tool) for tool in NEEDED), reason=f"needs {', '.join(NEEDED)}"
    ),
]


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


@pytest.fixture(scope="module", params=RELEASES)
def release(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A debootstrapped root and the package for its Python."""
    name: str = request.param
    folder = tmp_path_factory.mktemp(name)
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={DEPENDS}", name, folder / "root",
         "http://deb.debian.org/debian"],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"Debian {name} cannot be had here: {done.stdout.strip()[-200:]}")
    return folder / "root", build(folder / "build", RELEASES[name])


@pytest.fixture
def box(release: tuple[Path, Path], tmp_path: Path) -> Iterator[Box]:
    """A throw-away overlay over the root."""
    for name in ("upper", "work", "merged"):
        (tmp_path / name).mkdir()
    layers = f"lowerdir={release[0]},upperdir={tmp_path / 'upper'},workdir={tmp_path / 'work'}"
    mount = ["mount", "-t", "overlay", "overlay", "-o", layers, str(tmp_path / "merged")]
    subprocess.run(mount, check=True, timeout=20)
    with contextlib.ExitStack() as stack:
        stack.callback(subprocess.run, ["umount", "-l", str(tmp_path / "merged")], check=False)
        yield Box(tmp_path / "merged")


def test_installed_run_and_purged_without_a_trace(release: tuple[Path, Path], box: Box) -> None:
    before, accounts = box.everything(), (box.path / "etc/passwd").read_text()
    assert "now run: filterd setup" in box.install(release[1])
    assert "groups=" in box.run("id filterd-console")
    assert "firewall" in box.run("filterd --help")
    verify = "systemd-analyze verify /usr/lib/systemd/system/filterd.service"
    assert "filterd" not in box.run(f"{verify} 2>&1")
    libraries = "weasyprint, cryptography, marisa_trie, re2, psycopg, pyroute2, aiosqlite, h2"
    box.run(f"/usr/lib/filterd/venv/bin/python -c 'import {libraries}'")
    box.run("dpkg -P filterd")
    assert box.everything() - before == set()
    assert (box.path / "etc/passwd").read_text() == accounts


def test_upgrade_keeps_the_state_and_a_copy_of_it(release: tuple[Path, Path], box: Box) -> None:
    box.install(release[1])
    state = box.path / "var/lib/filterd"
    (state / "filterd.db").write_text("state of the old version")
    (state / "keys").mkdir()
    (box.path / "etc/filterd/filterd.yaml").write_text("listen: {dns: ['127.0.0.1:53']}\n")
    box.install(repacked(release[1], "9.0", state.parent))
    assert (state / "filterd.db").read_text() == "state of the old version"
    copies = list(state.glob("backup-*/filterd.db"))
    assert [copy.read_text() for copy in copies] == ["state of the old version"]
    assert (box.path / "etc/filterd/filterd.yaml").exists()


def test_a_downgrade_is_refused_in_words(release: tuple[Path, Path], box: Box) -> None:
    newer = repacked(release[1], "9.0", box.path.parent)
    box.install(newer)
    said = box.install(release[1], code=1)
    assert "cannot read newer state" in said
    assert "9.0" in box.run("dpkg-query -W filterd")


def test_a_full_disk_during_upgrade_keeps_the_old_version(
    release: tuple[Path, Path], box: Box
) -> None:
    box.install(release[1])
    newer = repacked(release[1], "9.0", box.path.parent)
    shutil.copy(newer, box.path / "tmp/newer.deb")
    script = (
        "mount -t tmpfs -o size=1m tmpfs /var/lib/filterd && "
        "head -c 700000 /dev/urandom > /var/lib/filterd/filterd.db && "
        "! dpkg -i /tmp/newer.deb 2>&1 && ls /var/lib/filterd && filterd --help >/dev/null"
    )
    said = box.run(script)
    assert "no room to back up" in said and "backup" not in said.splitlines()[-1]
    assert "9.0" not in box.run("dpkg-query -W filterd")


def test_the_same_commit_gives_the_same_bytes(tmp_path: Path) -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    digests = {
        hashlib.sha256(build(tmp_path / name, python).read_bytes()).hexdigest() for name in "ab"
    }
    assert len(digests) == 1
