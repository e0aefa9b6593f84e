"""What was read before the fork is used while the files say the same, and no longer."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from filterd.documents import Documents
from filterd.errors import PolicyError
from tests.lab.worker import shipped_policy

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for each in (ROOT / "blocklists").glob("*.yaml"):
        shutil.copy(each, tmp_path)
    return tmp_path


def test_nothing_is_read_twice(folder: Path) -> None:
    documents = Documents(folder)
    kinds, files = documents.taxonomy(), shipped_policy()
    assert documents.taxonomy() is kinds
    assert documents.policy(dict(files), kinds) is documents.policy(files, kinds)


def test_a_changed_taxonomy_is_read_anew_and_so_is_the_policy(folder: Path) -> None:
    documents = Documents(folder)
    kinds, files = documents.taxonomy(), shipped_policy()
    policy = documents.policy(files, kinds)
    path = folder / "protected.yaml"
    path.write_text(path.read_text("utf-8") + "  - added.example\n", "utf-8")
    os.utime(path, ns=(1, 1))
    changed = documents.taxonomy()
    assert changed.protected == kinds.protected | {"added.example"}
    assert documents.policy(files, changed) is not policy


def test_a_changed_policy_is_read_anew(folder: Path) -> None:
    documents = Documents(folder)
    kinds, files = documents.taxonomy(), shipped_policy()
    first = documents.policy(files, kinds)
    files["school.yaml"] = files["school.yaml"].replace("Asia/Ho_Chi_Minh", "Asia/Bangkok")
    second = documents.policy(files, kinds)
    assert (first.time_zone, second.time_zone) == ("Asia/Ho_Chi_Minh", "Asia/Bangkok")


def test_a_document_with_mistakes_leaves_what_was_read(folder: Path) -> None:
    documents = Documents(folder)
    kinds, files = documents.taxonomy(), shipped_policy()
    policy = documents.policy(files, kinds)
    with pytest.raises(PolicyError):
        documents.policy({**files, "school.yaml": "nonsense: ["}, kinds)
    assert documents.policy(files, kinds) is policy
