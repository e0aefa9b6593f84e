"""The release says when nobody looked for known vulnerabilities, instead of that there are none."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def audit() -> ModuleType:
    path = Path(__file__).parents[3] / "systemd/deb/audit.py"
    spec = importlib.util.spec_from_file_location("release_audit", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CLEAN = {"name": "a", "version": "1", "vulns": []}
KNOWN = {"name": "b", "version": "1", "vulns": [{"id": "PYSEC-1"}]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([CLEAN], 0, "audited: 1 packages, 0 with known"),
        ([CLEAN, KNOWN], 1, "KNOWN: b: PYSEC-1"),
        ([CLEAN, SKIPPED], 75, "NOT AUDITED: no advisory data for 1 of 2 packages (c)"),
        ([KNOWN, SKIPPED], 1, "NOT AUDITED"),
    ],
)
def test_what_the_release_says(
    packages: list[dict[str, object]], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit().told(packages) == code
    shown = capsys.readouterr()
    assert words in shown.out + shown.err
