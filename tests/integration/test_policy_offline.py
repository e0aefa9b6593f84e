"""`filterd policy` with no service running: the same checks as in the service."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from filterd.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def school(tmp_path: Path) -> Path:
    """Settings and policies of a school whose service is not running."""
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    settings = {
        "state_dir": str(tmp_path / "state"),
        "policies": str(tmp_path / "policies"),
        "catalogue": str(ROOT / "blocklists" / "catalogue.yaml"),
    }
    (tmp_path / "filterd.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    (tmp_path / "state").mkdir()
    return tmp_path


def policy(school: Path, *words: str) -> int:
    return main(["policy", words[0], "--config", str(school / "filterd.yaml"), *words[1:]])


def expect(school: Path, name: str, outcome: str) -> None:
    path = school / "policies" / "primary.yaml"
    tier = yaml.safe_load(path.read_text("utf-8"))
    tier["expect"][name] = outcome
    path.write_text(yaml.safe_dump(tier, allow_unicode=True), "utf-8")


def test_the_shipped_policy_is_checked_and_applied(school: Path) -> None:
    assert policy(school, "check", str(school / "policies")) == 0
    assert policy(school, "apply", str(school / "policies"), "--reason", "first") == 0
    assert policy(school, "apply", str(school / "policies"), "--reason", "again") == 0


def test_a_failed_expectation_stops_it(school: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert policy(school, "apply", str(school / "policies"), "--reason", "first") == 0
    expect(school, "wikipedia.org", "blocked")
    assert policy(school, "check", str(school / "policies")) == 1
    assert "wikipedia.org must be blocked, would be allowed" in capsys.readouterr().err
    assert policy(school, "apply", str(school / "policies"), "--reason", "bad") == 1
    assert policy(school, "history") == 0
    assert "bad" not in capsys.readouterr().out
