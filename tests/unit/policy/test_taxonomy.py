"""The taxonomy: the contract's ids, and floors that no edit of the data can loosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.errors import ConfigError
from filterd.policy.taxonomy import CATEGORIES, FILES, Taxonomy, load, parse

ROOT = Path(__file__).parents[3]


@pytest.fixture
def files() -> dict[str, str]:
    return {name: (ROOT / "blocklists" / name).read_text("utf-8") for name in FILES}


def test_categories_are_those_of_the_contract(taxonomy: Taxonomy) -> None:
    assert tuple(taxonomy.categories) == CATEGORIES and len(CATEGORIES) == 21
    assert all(c.title.vi and c.title.en for c in taxonomy.categories.values())


def test_floors(taxonomy: Taxonomy) -> None:
    by_floor: dict[str, set[str]] = {}
    for category in taxonomy.categories.values():
        by_floor.setdefault(category.floor, set()).add(category.id)
    assert by_floor["everyone"] == {"csam", "authority", "malware", "phishing"}
    assert by_floor["pupils"] == {"extremism", "porn", "gambling"}
    fixed = {category.id for category in taxonomy.categories.values() if not category.excepted}
    assert fixed == {"csam", "authority"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{id: porn, floor: pupils", "{id: porn"),
        ("{id: malware, floor: everyone", "{id: malware, floor: pupils"),
        ("{id: csam, floor: everyone, excepted: false", "{id: csam, floor: everyone"),
        ("{id: self_harm, sensitive: true", "{id: self_harm"),
    ],
)
def test_a_data_edit_cannot_loosen_a_floor(files: dict[str, str], before: str, after: str) -> None:
    assert before in files["taxonomy.yaml"]
    files["taxonomy.yaml"] = files["taxonomy.yaml"].replace(before, after)
    with pytest.raises(ConfigError, match="is fixed"):
        parse(files)


def test_a_category_cannot_go_missing(files: dict[str, str]) -> None:
    lines = files["taxonomy.yaml"].splitlines(keepends=True)
    files["taxonomy.yaml"] = "".join(line for line in lines if "id: csam" not in line)
    with pytest.raises(ConfigError, match="missing: csam"):
        parse(files)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"taxonomy\.yaml"):
        load(tmp_path)


def test_all_mistakes_at_once(files: dict[str, str]) -> None:
    files["services.yaml"] = (
        "services:\n"
        "  - {id: a, title: {vi: A, en: A}, category: gams, names: [a..b]}\n"
        "  - {id: a, title: {vi: A}, category: games, names: [b.example]}\n"
    )
    with pytest.raises(ConfigError) as caught:
        parse(files)
    assert [(p.line, p.key) for p in caught.value.problems] == [
        (2, "services[1].category"),
        (2, "services[1].names"),
        (3, "services[2].id"),
        (3, "services[2].title.en"),
    ]


def test_safe_search_table(taxonomy: Taxonomy) -> None:
    engines = {engine.id: engine for engine in taxonomy.safe_search.engines}
    google = engines["google"]
    assert len(google.names) == len(set(google.names)) == 194
    assert all(name.startswith("www.google.") for name in google.names)
    assert {"www.google.com", "www.google.com.vn"} <= set(google.names)
    assert set(engines) == {
        *("google", "bing", "duckduckgo", "ecosia", "pixabay", "yandex", "qwant", "brave"),
    }
    assert len(engines["yandex"].names) == 52
    assert taxonomy.safe_search.strict == "restrict.youtube.com"


def test_no_engine_with_a_safe_mode_is_called_unsafe(taxonomy: Taxonomy) -> None:
    table = taxonomy.safe_search
    rewritten = {name for engine in table.engines for name in engine.names} | set(table.youtube)
    for unsafe in table.unsafe:
        assert not any(n == unsafe or n.endswith(f".{unsafe}") for n in rewritten), unsafe
