"""The shipped data is whole: every name can be asked, every id is known, nothing contradicts."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

BLOCKLISTS = Path(__file__).parents[3] / "blocklists"
CATEGORIES = frozenset(
    {"csam", "authority", "extremism", "malware", "phishing", "bypass", "porn", "gambling"}
    | {"self_harm", "violence", "drugs", "hate", "dating", "piracy", "games", "social", "video"}
    | {"chat", "genai", "shopping", "ads"}
)
CANARY_ONLY = {"csam", "authority", "extremism", "self_harm"}
NAME = re.compile(
    r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z][a-z0-9-]{0,61}[a-z0-9]"
)
FORMATS = {"hosts", "domains", "wildcard", "adblock", "rpz", "dnsmasq", "ut1", "regex", "addresses"}
LISTS = sorted((BLOCKLISTS / "lists").glob("*.txt"))


@cache
def read(name: str) -> Any:
    return yaml.safe_load((BLOCKLISTS / name).read_text("utf-8"))


def listed(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]


def services() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read("services.yaml")["services"]
    return found


@cache
def must_allow() -> frozenset[str]:
    return frozenset(name for group in read("must_allow.yaml")["groups"] for name in group["names"])


def suffixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[at:]) for at in range(len(parts))]


@cache
def shielded() -> frozenset[str]:
    """Every protected name and every name above one."""
    return frozenset(
        suffix for name in read("protected.yaml")["names"] for suffix in suffixes(name)
    )


def test_every_category_has_its_list_and_nothing_else_is_there() -> None:
    assert {path.stem for path in LISTS} == CATEGORIES


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_a_list_is_valid_names_once_each(path: Path) -> None:
    names = listed(path)
    assert all(NAME.fullmatch(name) for name in names), [n for n in names if not NAME.fullmatch(n)]
    assert len(names) == len(set(names))
    covered = [name for name in names if set(suffixes(name)[1:]) & set(names)]
    assert not covered, f"a name above them is listed already: {covered}"


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_a_list_spares_what_must_work(path: Path) -> None:
    wrong = {name for name in listed(path) if name in shielded()}
    wrong |= {name for name in listed(path) if set(suffixes(name)) & must_allow()}
    assert not wrong


def test_names_of_the_gravest_kinds_are_never_shipped() -> None:
    for category in CANARY_ONLY:
        assert listed(BLOCKLISTS / "lists" / f"{category}.txt") == [
            f"{category}.canary.filterd.test"
        ]


def test_every_other_category_blocks_something_offline() -> None:
    for path in LISTS:
        if path.stem not in CANARY_ONLY:
            assert listed(path), path.stem


def test_no_name_is_in_two_lists() -> None:
    seen: dict[str, str] = {}
    for path in LISTS:
        for name in listed(path):
            assert seen.setdefault(name, path.stem) == path.stem, name


def test_the_bypass_list_is_large_enough_to_matter() -> None:
    assert len(listed(BLOCKLISTS / "lists" / "bypass.txt")) >= 200


def test_services_are_many_with_known_categories_and_titles_in_both_languages() -> None:
    found = services()
    assert len(found) >= 80
    ids = [service["id"] for service in found]
    assert len(ids) == len(set(ids))
    for service in found:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", service["id"])
        assert service["category"] in CATEGORIES
        assert service["title"]["vi"] and service["title"]["en"]
        assert set(service) == {"id", "title", "category", "names"}


def test_a_service_owns_its_names_alone() -> None:
    owner: dict[str, str] = {}
    for service in services():
        for name in service["names"]:
            assert NAME.fullmatch(name), name
            assert owner.setdefault(name, service["id"]) == service["id"], name
            assert not set(suffixes(name)[1:]) & set(service["names"]), name


def test_blocking_a_service_leaves_schools_and_shared_platforms_alone() -> None:
    for service in services():
        hit = set(service["names"]) & shielded()
        hit |= {name for name in service["names"] if set(suffixes(name)) & must_allow()}
        assert not hit, service["id"]


def test_services_and_lists_do_not_say_the_same_twice() -> None:
    """A name in both would go on being blocked by its list after the service was allowed."""
    names = {name for service in services() for name in service["names"]}
    for path in LISTS:
        assert not names & set(listed(path)), path.stem


def test_must_allow_groups_have_titles_and_valid_names_once() -> None:
    names: list[str] = []
    for group in read("must_allow.yaml")["groups"]:
        assert group["title"]["vi"] and group["title"]["en"]
        names += group["names"]
    assert all(NAME.fullmatch(name) for name in names)
    assert len(names) == len(set(names))


def test_what_must_be_allowed_is_protected_from_lists() -> None:
    assert not must_allow() - set(read("protected.yaml")["names"])


def test_protected_names_are_valid_once_each() -> None:
    names = read("protected.yaml")["names"]
    assert all(NAME.fullmatch(name) for name in names), [n for n in names if not NAME.fullmatch(n)]
    assert len(names) == len(set(names))


def test_catalogue_sources_are_complete() -> None:
    sources = read("catalogue.yaml")["sources"]
    ids = [source["id"] for source in sources]
    assert len(ids) == len(set(ids))
    for source in sources:
        assert source["category"] in CATEGORIES, source["id"]
        assert set(source.get("members", {}).values()) <= CATEGORIES, source["id"]
        assert source["title"]["vi"] and source["title"]["en"], source["id"]
        assert source["format"] in FORMATS and source["match"] in {"subtree", "exact"}
        assert ("url" in source) != ("file" in source), source["id"]
        assert source["licence"] and source["attribution"], source["id"]
        assert source["max_age_days"] > 0 and re.fullmatch(r"\d+[hd]", source["every"])
        assert isinstance(source["enabled"], bool)
        for url in [source["url"], *source.get("mirrors", [])] if "url" in source else []:
            assert url.startswith("https://"), source["id"]


def test_shipped_lists_are_sources_that_are_on() -> None:
    shipped = {s["file"]: s for s in read("catalogue.yaml")["sources"] if "file" in s}
    assert shipped.pop("doh_addresses.txt")["category"] == "bypass"
    assert set(shipped) == {f"lists/{path.name}" for path in LISTS}
    for file, source in shipped.items():
        assert source["enabled"], file
        assert file == f"lists/{source['category']}.txt"
