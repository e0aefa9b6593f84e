"""The office's names lie over the index and no exception at the school opens them."""

from __future__ import annotations

from pathlib import Path

from filterd.lists import overlay
from filterd.lists.index import Index
from filterd.policy.model import Name
from filterd.policy.verdict import Question


def blocked_by(folder: Path, name: str) -> set[str]:
    found = overlay.load(folder / "local", folder / "office")
    assert found is not None
    listings = Index((found.table,), found.digest).listings(Question(Name(name), 1))
    return {str(each.list) for each in listings if not each.exception}


def test_the_offices_names_are_blocked_whatever_the_school_excepts(tmp_path: Path) -> None:
    for name in ("local", "office"):
        (tmp_path / name).mkdir()
    (tmp_path / "office" / "authority.txt").write_text("||bad.example^$important\n")
    (tmp_path / "local" / "games.txt").write_text("@@||bad.example^\nplay.example\n")
    assert "office_authority" in blocked_by(tmp_path, "www.bad.example")
    assert blocked_by(tmp_path, "play.example") == {"local_games"}


def test_a_new_office_list_is_a_new_overlay(tmp_path: Path) -> None:
    (tmp_path / "office").mkdir()
    path = tmp_path / "office" / "authority.txt"
    path.write_text("||one.example^$important\n")
    before = overlay.load(tmp_path / "local", tmp_path / "office")
    path.write_text("||two.example^$important\n")
    after = overlay.load(tmp_path / "local", tmp_path / "office")
    assert before is not None
    assert after is not None
    assert before.digest != after.digest
