"""Which lists a folder holds: by the catalogue, by directory, by the words of a name."""

from __future__ import annotations

from pathlib import Path

from filterd.lists.discover import discover

CATEGORIES = ("porn", "gambling", "games", "drugs", "ads", "malware")


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def test_an_unpacked_ut1_tree_gives_one_list_a_directory(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "blacklists/adult/domains": "bad.example\n",
            "blacklists/adult/urls": "good.example/bad\n",
            "blacklists/adult/expressions": "(sex|porn)\n",
            "blacklists/adult/usage": "black\n",
            "blacklists/gambling/domains": "bet.example\n",
            "blacklists/drogue/domains": "drug.example\n",
            "blacklists/cooking/domains": "cook.example\n",
        },
    )
    found = discover(tmp_path, (), CATEGORIES)
    assert {(each.id, each.category, each.format) for each in found.lists} == {
        ("ut1_adult", "porn", "domains"),
        ("ut1_gambling", "gambling", "domains"),
        ("ut1_drogue", "drugs", "domains"),
    }
    reasons = dict(found.left_out)
    assert "pages" in reasons["blacklists/adult/urls"]
    assert "expressions" in reasons["blacklists/adult/expressions"]
    assert "category" in reasons["blacklists/cooking/domains"]
    assert set(reasons) == {
        "blacklists/adult/urls",
        "blacklists/adult/expressions",
        "blacklists/adult/usage",
        "blacklists/cooking/domains",
    }


def test_files_are_told_by_their_words(tmp_path: Path) -> None:
    write(tmp_path, {"nsfw.txt": "a.example\n", "README.md": "#\n", "strange.txt": "b.example\n"})
    found = discover(tmp_path, (), CATEGORIES)
    assert [(each.category, each.file) for each in found.lists] == [("porn", "nsfw.txt")]
    assert [name for name, _ in found.left_out] == ["README.md", "strange.txt"]
