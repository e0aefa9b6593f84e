"""The native part under AddressSanitizer and UndefinedBehaviorSanitizer: no octet out of bounds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fuzz import sanitized

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
SECONDS = {"short": 4.0, "long": 240.0}


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not Path(sanitized.runtime()).is_absolute():
        pytest.skip("gcc has no libasan here")
    return sanitized.build(tmp_path_factory.mktemp("sanitized"))


def test_one_octet_too_many_is_found(extension: Path, tmp_path: Path) -> None:
    """A fault put into the scanner ends it: the tests below can fail."""
    faulty = shutil.copytree(sanitized.NATIVE, tmp_path / "native")
    scanner = faulty / "refusal.c"
    sound = scanner.read_text()
    scanner.write_text(sound.replace("while (at < size)", "while (at <= size)", 1))
    assert scanner.read_text() != sound
    broken = tmp_path / extension.name
    sanitized.compiled(sorted(map(str, faulty.glob("*.c"))), broken)
    done = sanitized.run(broken, "-m", "tests.fuzz.native_corpus", "20", "1", timeout=120)
    assert done.returncode == 99, done.stdout + done.stderr[-2000:]
    assert "AddressSanitizer" in done.stderr and "name_end" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_the_units_of_the_drain_loop(extension: Path) -> None:
    done = sanitized.run(
        extension, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.fuzz.sanitized",
        "tests/unit/listen/test_drain.py", "tests/unit/listen/test_native_forwarding.py",
        "tests/unit/listen/test_repeat_frames.py", "tests/unit/listen/test_http2_both.py",
        "tests/unit/listen/test_native_tables.py", "tests/unit/listen/test_native_departures.py",
        "tests/unit/listen/test_standby.py", timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_units_of_compiling(extension: Path, tmp_path: Path) -> None:
    done = sanitized.run(
        sanitized.build(tmp_path, sanitized.LISTS), "-m", "pytest", "-q", "-p", "no:cacheprovider",
        "-p", "tests.fuzz.sanitized", "tests/unit/lists/test_list_columns.py", timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.parametrize(
    "length", ["short", pytest.param("long", marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_hostile_datagrams(extension: Path, length: str) -> None:
    seconds = SECONDS[length]
    done = sanitized.run(
        extension, "-m", "tests.fuzz.native_corpus", str(seconds), "20261122", timeout=seconds + 120
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-4000:]
    assert int(done.stdout.split()[0]) > 1000
