"""Builds the Debian package: `python systemd/deb/build.py [--python 3.13] [--out build]`.

A virtual environment of the locked dependencies lies inside, so that installing needs no network.
The same commit gives the same bytes (SOURCE_DATE_EPOCH). Needs pip, dpkg-deb and binutils. A
package for another Python than the running one gets its wheels from the index and no native part.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEB = Path(__file__).parent
PREFIX = Path("usr/lib/filterd/venv")
BUILD_ONLY = ("setuptools", "wheel", "pkg_resources", "_distutils_hack", "distutils-precedence.pth")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True)
class Package:
    """What is being built: filterd's version, the Python it is for, where it is put together."""

    version: str
    python: str
    stage: Path

    @property
    def native(self) -> bool:
        """Whether it is for the Python that runs this script."""
        return self.python == RUNNING

    @property
    def site(self) -> Path:
        """Where the packages of its environment go."""
        return self.stage / PREFIX / f"lib/python{self.python}/site-packages"

    @property
    def full_version(self) -> str:
        """Debian's version: one package per Python, because compiled wheels are."""
        return f"{self.version}+py{self.python}"


def main() -> int:
    """Build it and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=RUNNING)
    parser.add_argument("--out", type=Path, default=ROOT / "build")
    given = parser.parse_args()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    package = Package(version, given.python, given.out.absolute() / f"deb-{given.python}")
    shutil.rmtree(package.stage, ignore_errors=True)
    dependencies(package)
    program(package)
    files(package)
    control(package)
    print(pack(package))
    return 0


def architecture() -> str:
    """Debian's word for this machine."""
    return ARCHITECTURES.get(os.uname().machine, os.uname().machine)


def dependencies(package: Package) -> None:
    """The lock file, to the letter, without what only builds."""
    options = ["--target", str(package.site), "--no-compile", "--no-warn-script-location"]
    options += ["--require-hashes", "--only-binary", ":all:"]
    if not package.native:
        options += ["--python-version", package.python, "--implementation", "cp"]
        options += [word for platform in PLATFORMS for word in ("--platform", platform)]
    pip("install", *options, "-r", str(ROOT / "requirements.lock"))
    for name in BUILD_ONLY:
        for path in package.site.glob(f"{name}*"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    shutil.rmtree(package.site / "bin", ignore_errors=True)


def program(package: Package) -> None:
    """filterd itself, as a wheel unpacked into its environment; the environment's frame."""
    wheels = package.stage / "wheels"
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(ROOT))
    shutil.unpack_archive(next(wheels.glob("filterd-*.whl")), package.site, "zip")
    shutil.rmtree(wheels)
    for path in (package.site / "filterd").rglob("*.so"):
        if package.native:
            subprocess.run(["strip", "--strip-unneeded", path], check=True)
        else:
            path.unlink()
    venv = package.stage / PREFIX
    interpreter = f"/usr/bin/python{package.python}"
    write(
        venv / "pyvenv.cfg",
        "home = /usr/bin\ninclude-system-site-packages = false\n"
        f"version = {package.python}\nexecutable = {interpreter}\n",
    )
    (venv / "bin").mkdir()
    (venv / "bin/python").symlink_to(interpreter)
    shebang = f"#!/{PREFIX}/bin/python\n"
    start = "import sys\n\nfrom filterd.cli import main\n\nsys.exit(main())\n"
    write(package.stage / "usr/bin/filterd", shebang + start, 0o755)


def files(package: Package) -> None:
    """Data, units, users and directories."""
    share = package.stage / "usr/share/filterd"
    for name in ("blocklists", "policies"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, share / name)
    # keepalived runs it as nobody, once a second, without the environment: the file alone.
    shutil.copy(ROOT / "filterd/gateway/canary_check.py", share)
    shutil.copy(ROOT / "systemd/acme-deploy", share)
    shutil.copytree(ROOT / "systemd/units", package.stage / "usr/lib/systemd/system")
    for kind in ("sysusers", "tmpfiles"):
        target = package.stage / f"usr/lib/{kind}.d/filterd.conf"
        target.parent.mkdir(parents=True)
        shutil.copy(ROOT / f"systemd/{kind}.conf", target)
    about = package.stage / "usr/share/doc/filterd"
    about.mkdir(parents=True)
    shutil.copy(ROOT / "LICENSE", about / "copyright")
    write(about / "licences", "".join(sorted(licences(package.site))))


def licences(site: Path) -> Iterator[str]:
    """A line for each Python package inside: name, version, licence."""
    for each in metadata.distributions(path=[str(site)]):
        about = each.metadata
        said = about.get("License-Expression") or next(
            (text.rpartition(" :: ")[2] for text in about.get_all("Classifier") or []
             if text.startswith("License")), (about.get("License") or "unknown").splitlines()[0],
        )  # fmt: skip
        yield f"{about['Name']} {each.version}: {said}\n"


def control(package: Package) -> None:
    """The package's own description and scripts."""
    major, minor = package.python.split(".")
    octets = sum(p.lstat().st_size for p in package.stage.rglob("*") if p.is_file())
    fields = (DEB / "control.in").read_text("utf-8")
    fields = fields.format(
        version=package.full_version,
        architecture=architecture(),
        python=package.python,
        following=f"{major}.{int(minor) + 1}",
        kib=octets // 1024,
    )
    sums = [
        f"{hashlib.md5(p.read_bytes(), usedforsecurity=False).hexdigest()}  "
        f"{p.relative_to(package.stage)}\n"
        for p in sorted(package.stage.rglob("*"))
        if p.is_file() and not p.is_symlink()
    ]
    write(package.stage / "DEBIAN/control", fields)
    write(package.stage / "DEBIAN/md5sums", "".join(sums))
    for script in ("preinst", "postinst", "prerm", "postrm"):
        text = (DEB / script).read_text("utf-8").replace("@VERSION@", package.version)
        write(package.stage / f"DEBIAN/{script}", text, 0o755)


def pack(package: Package) -> Path:
    """One modification time and plain modes everywhere, then dpkg-deb."""
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or committed())
    for path in [package.stage, *package.stage.rglob("*")]:
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    target = package.stage.parent / f"filterd_{package.full_version}_{architecture()}.deb"
    subprocess.run(
        [
            "dpkg-deb",
            "--root-owner-group",
            "-Zzstd",
            "-z9",
            "--threads-max=1",
            "--build",
            package.stage,
            target,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
    )
    return target


def pip(*arguments: str) -> None:
    """pip of the running environment, quiet."""
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    subprocess.run([sys.executable, "-m", "pip", arguments[0], *quiet, *arguments[1:]], check=True)


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """A text file with its directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(mode)


def committed() -> str:
    """When the checked-out commit was made, in seconds of 1970."""
    done = subprocess.run(
        ["git", "-C", ROOT, "log", "-1", "--format=%ct"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
