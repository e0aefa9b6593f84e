"""The pages about installing: both languages have each step, and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from filterd.gateway import answers

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted([*DOCS.glob("*/gateway/*.md"), *DOCS.glob("*/install.md")])
FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def test_each_step_has_a_page_in_both_languages() -> None:
    names = [{page.name for page in (DOCS / lang / "gateway").iterdir()} for lang in ("vi", "en")]
    assert names[0] == names[1] and len(names[0]) == 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_link_and_picture_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target
        if target.endswith(".svg"):
            assert f".{page.relative_to(DOCS).parts[0]}.svg" in target


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_answers_of_the_page_are_answers(language: str) -> None:
    text = (DOCS / language / "gateway/3-setup.md").read_text("utf-8")
    found = [body for kind, body in FENCE.findall(text) if kind == "yaml"]
    given = answers.parse(found[0], "3-setup.md")
    assert given.office is not None and given.pair is not None and len(given.segments) == 2
    assert set(yaml.safe_load(found[0])) == answers._KEYS


@pytest.mark.parametrize("name", [page.name for page in (DOCS / "en/gateway").iterdir()])
def test_commands_are_the_same_in_both_languages(name: str) -> None:
    """Comments and placeholders are words; what stands before them is typed."""

    def typed(language: str) -> list[str]:
        blocks = FENCE.findall((DOCS / language / "gateway" / name).read_text("utf-8"))
        lines = [line for _, body in blocks for line in body.splitlines()]
        return [re.sub(r"\s*#.*|\"?(?:MÃ|THE)-[\w-]+|name: .*", "", line).strip() for line in lines]

    assert typed("vi") == typed("en")
