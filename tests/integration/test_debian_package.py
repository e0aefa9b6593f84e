"""The Debian package in fresh Debian 12 and 13 roots: installed, run, upgraded, refused, purged.

Slow: builds the package twice and debootstraps two roots. Everything inside runs without network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.debian import NEEDED, RELEASES, Box, build, debootstrap, overlay, repacked

pytestmark = [
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="chroot and mounts need root"),
    pytest.mark.skipif(
        not all(shutil.which(tool) for tool in NEEDED), reason=f"needs {', '.join(NEEDED)}"
    ),
]


@pytest.fixture(scope="module", params=RELEASES)
def release(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A debootstrapped root and the package for its Python."""
    name: str = request.param
    folder = tmp_path_factory.mktemp(name)
    root = debootstrap(name, folder)
    return root, build(folder / "build", RELEASES[name])


@pytest.fixture
def box(release: tuple[Path, Path], tmp_path: Path) -> Iterator[Box]:
    """A throw-away overlay over the root."""
    with overlay(release[0], tmp_path) as merged:
        yield Box(merged)


def test_installed_run_and_purged_without_a_trace(release: tuple[Path, Path], box: Box) -> None:
    before, accounts = box.everything(), (box.path / "etc/passwd").read_text()
    assert "now run: filterd setup" in box.install(release[1])
    assert "groups=" in box.run("id filterd-console")
    assert "firewall" in box.run("filterd --help")
    verify = "systemd-analyze verify /usr/lib/systemd/system/filterd.service"
    assert "filterd" not in box.run(f"{verify} 2>&1")
    libraries = "weasyprint, cryptography, marisa_trie, re2, psycopg, aiosqlite, h2"
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
