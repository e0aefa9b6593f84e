"""The shipped data and policies, as every test of the policy core needs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.policy import document
from filterd.policy.model import Policy
from filterd.policy.taxonomy import Taxonomy, load

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return load(ROOT / "blocklists")


@pytest.fixture(scope="session")
def shipped_files() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in (ROOT / "policies").glob("*.yaml")}


@pytest.fixture(scope="session")
def shipped(shipped_files: dict[str, str], taxonomy: Taxonomy) -> Policy:
    return document.parse(shipped_files, taxonomy)
