"""What is installed is what was locked, its licences are known, and a build can be repeated."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
UNWANTED = re.compile(r"AGPL|SSPL|Commons Clause|proprietary", re.IGNORECASE)


def locked(lock: str) -> dict[str, list[str]]:
    """Hashes by requirement."""
    text = (ROOT / lock).read_text("utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line and not line.lstrip().startswith("#"):
            found[line.split("==")[0].split("[")[0].strip().lower()] = re.findall(
                r"--hash=sha256:([0-9a-f]{64})", line
            )
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes_and_no_address(lock: str) -> None:
    found = locked(lock)
    assert len(found) > 30
    assert not [name for name, hashes in found.items() if not hashes]
    text = (ROOT / lock).read_text("utf-8")
    assert not re.search(r"https?://|--index|--extra|--find-links|\bfile:", text)


def test_everything_declared_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {re.split(r"[\[>=<;~! ]", each)[0].lower() for each in project["dependencies"]}
    assert names <= set(locked("requirements.lock"))


def test_every_installation_demands_the_hashes() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    installs = [line for line in makefile.splitlines() if "pip install" in line]
    assert installs
    for line in installs:
        assert "--require-hashes" in line or "--no-deps --no-build-isolation" in line, line


def test_a_package_with_another_hash_is_refused(tmp_path: Path) -> None:
    """pip's own check, on a wheel made here: one octet of the hash is changed."""
    wheel = tmp_path / "thing-1.0-py3-none-any.whl"
    _tiny_wheel(wheel)
    right = hashlib.sha256(wheel.read_bytes()).hexdigest()
    wrong = ("0" if right[0] != "0" else "1") + right[1:]
    for digest, code in ((right, 0), (wrong, 1)):
        lock = tmp_path / "lock"
        lock.write_text(f"thing==1.0 --hash=sha256:{digest}\n")
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--dry-run",
             "--disable-pip-version-check", "--find-links", str(tmp_path), "--require-hashes",
             "-r", str(lock), "--target", str(tmp_path / "target")],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert bool(done.returncode) == bool(code), done.stderr


def _tiny_wheel(path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        about = "thing-1.0.dist-info"
        archive.writestr("thing.py", "")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
                         "Tag: py3-none-any\n")  # fmt: skip
        archive.writestr(f"{about}/RECORD", "")


def test_the_licence_of_everything_at_run_time_is_known() -> None:
    unknown, unwanted = [], []
    for name in locked("requirements.lock"):
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform
        said = [about.get("License-Expression") or "", about.get("License") or ""]
        said += [each for each in about.get_all("Classifier") or [] if each.startswith("License")]
        text = " ".join(each.splitlines()[0] for each in said if each)
        if not text:
            unknown.append(name)
        elif UNWANTED.search(text):
            unwanted.append((name, text))
    assert not unknown
    assert not unwanted


def test_the_bill_of_materials_lists_what_is_locked(tmp_path: Path) -> None:
    tool = Path(sys.executable).with_name("cyclonedx-py")
    if not tool.exists():
        pytest.skip("cyclonedx-bom is not installed")
    out = tmp_path / "bill.json"
    subprocess.run(
        [str(tool), "requirements", str(ROOT / "requirements.lock"), "--output-reproducible",
         "--output-file", str(out)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    listed = {part["name"].lower() for part in json.loads(out.read_text())["components"]}
    assert set(locked("requirements.lock")) <= listed


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git for a clean tree")
def test_two_builds_of_the_wheel_are_the_same_octets(tmp_path: Path) -> None:
    built = []
    for turn in ("one", "two"):
        tree = tmp_path / turn
        tree.mkdir()
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False
        )
        if listed.returncode:
            pytest.skip("not a git checkout")
        for name in listed.stdout.decode().split("\0"):
            if name and not name.startswith("tests/") and (ROOT / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, tree / name)
        subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
             "--disable-pip-version-check", "--wheel-dir", str(tree / "out"), str(tree)],
            check=True, capture_output=True, timeout=110,
            env={**os.environ, "SOURCE_DATE_EPOCH": "1767225600"},
        )  # fmt: skip
        (wheel,) = (tree / "out").glob("*.whl")
        built.append((wheel.name, hashlib.sha256(wheel.read_bytes()).hexdigest()))
    assert built[0] == built[1]
