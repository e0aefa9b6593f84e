"""A source whose octets are known is parsed once, an archive too; and never wrongly."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from filterd.lists import cached
from filterd.lists.job import JobList
from filterd.lists.memory import Loaded

MEMBERS = {"adult": "porn", "publicite": "ads"}
FILES = {
    "blacklists/adult/domains": b"adult.example\n192.0.2.3\n",
    "blacklists/adult/urls": b"site.example/page\n\nsite.example/other\n",
    "blacklists/publicite/domains": b"banner.example\n",
    "blacklists/cooking/domains": b"cake.example\n",
}


def archive(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as out:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
    return path


def folder(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def wanted(path: Path, **more: object) -> JobList:
    return JobList(**{"id": "ut1", "category": "", "path": str(path), "members": MEMBERS, **more})  # type: ignore[arg-type]


def told(lists: list[Loaded]) -> list[object]:
    return [
        (one.meta, one.parsed.names, len(one.parsed.addresses), one.parsed.dropped) for one in lists
    ]


@pytest.mark.parametrize("make", [archive, folder])
def test_an_unchanged_archive_is_not_parsed_again(
    tmp_path: Path, make: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = wanted(make(tmp_path / "ut1", FILES))  # type: ignore[operator]
    cache = tmp_path / "cache"
    cache.mkdir()
    first: list[str] = []
    fresh = list(cached.read(source, str(cache), first))
    assert [one.meta.id for one in fresh] == ["ut1/adult", "ut1/publicite"]
    assert told(fresh)[0][1:] == (1, 1, {"url": 2})  # type: ignore[index]
    assert told(fresh) == told(list(cached.read(source, None, [])))

    def never(*_: object, **__: object) -> object:
        raise AssertionError("parsed again")

    monkeypatch.setattr(cached, "load_ut1", never)
    again: list[str] = []
    assert told(list(cached.read(source, str(cache), again))) == told(fresh)
    assert again == first == [next(cache.iterdir()).name]


def test_what_changes_the_reading_reads_anew(tmp_path: Path) -> None:
    """Other octets, another set of categories, another format or scope; and a damaged copy."""
    cache = tmp_path / "cache"
    cache.mkdir()
    path = archive(tmp_path / "ut1.tar", FILES)
    plain = tmp_path / "plain"
    plain.write_text("a.example\n")
    sources = [
        wanted(path), wanted(path, members={"adult": "porn"}), wanted(path, match="exact"),
        wanted(archive(tmp_path / "b.tar", FILES | {"x/adult/domains": b"new.example\n"})),
        wanted(plain, members={}), wanted(plain, members={}, format="adblock"),
    ]  # fmt: skip
    used: list[str] = []
    for source in sources:
        cached.parse_into(source, str(cache))
        list(cached.read(source, str(cache), used))
    assert len(set(used)) == len(sources) == len(list(cache.iterdir()))
    for kept in cache.iterdir():
        kept.write_bytes(kept.read_bytes()[:-2])
    assert told(list(cached.read(sources[0], str(cache), []))) == told(
        list(cached.read(sources[0], None, []))
    )
