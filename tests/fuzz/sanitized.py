"""The native part built with AddressSanitizer and UndefinedBehaviorSanitizer, and Python under it.

As a pytest plugin (`-p tests.fuzz.sanitized`) it puts that build in the place of the installed one.
Octets behind a datagram, an entry or an argument are out of bounds there: `native/objects.h` fences
them, and Python allocates each object by itself.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "filterd" / "listen" / "native"
NAME = "filterd.listen._native"
LISTS = "filterd.lists._native"
VARIABLE = "FILTERD_SANITIZED_NATIVE"
FLAGS = (
    "-O1", "-g", "-fPIC", "-shared", "-fno-omit-frame-pointer", "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all", "-Wall", "-Wextra", "-Wno-missing-field-initializers",
    "-Wno-cast-function-type",
)  # fmt: skip


def build(folder: Path, name: str = NAME) -> Path:
    """The extension with both sanitizers, in a folder of its room's name; CalledProcessError when
    it does not compile."""
    room = name.split(".")[1]
    made = folder / room / f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"
    made.parent.mkdir()
    compiled(sorted(map(str, (ROOT / "filterd" / room / "native").glob("*.c"))), made)
    return made


def compiled(sources: list[str], to: Path) -> None:
    """A shared library with both sanitizers."""
    include = f"-I{sysconfig.get_path('include')}"
    subprocess.run(["gcc", *FLAGS, include, *sources, "-o", str(to)], check=True, timeout=300)


def runtime() -> str:
    """The sanitizer's library, which must be loaded before everything else."""
    asked = ["gcc", "-print-file-name=libasan.so"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def run(extension: Path, *arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
    """Python under the sanitizers with that extension; a finding ends it with an exit code."""
    surroundings = os.environ | {
        "LD_PRELOAD": runtime(),
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:exitcode=99:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
        "PYTHONMALLOC": "malloc",
        VARIABLE: str(extension),
    }
    return subprocess.run(
        [sys.executable, *arguments], env=surroundings, timeout=timeout, cwd=ROOT,
        capture_output=True, text=True,
    )  # fmt: skip


def _load(path: str) -> None:
    name = LISTS if Path(path).parent.name == "lists" else NAME
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


if VARIABLE in os.environ:
    _load(os.environ[VARIABLE])
