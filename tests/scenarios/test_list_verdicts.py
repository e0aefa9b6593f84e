"""Rules and questions as data (`lists/*.yaml`), judged by `filterd verdicts` itself."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from filterd.cli.verdicts import answers, wanted
from filterd.lists.judge import Judge

HERE = Path(__file__).parent / "lists"
_ASK = re.compile(
    r"(?P<name>\S+)(?: (?P<type>[A-Z0-9]+))? -> (?P<verdict>allowed|blocked|rewritten)"
    r"(?: (?P<answer>[^|#]+?))?(?: \| (?P<who>[^#]+?))?(?: # (?P<rule>.+))?"
)


def groups() -> list[Any]:
    found = []
    for file in sorted(HERE.glob("*.yaml")):
        document = yaml.safe_load(file.read_text("utf-8"))
        for group in document["groups"]:
            group.setdefault("format", document.get("format", "auto"))
            found.append(pytest.param(group, id=f"{file.stem}: {group['source']}"))
    return found


def question(match: re.Match[str]) -> dict[str, Any]:
    asked: dict[str, Any] = {"name": match["name"]}
    if match["type"]:
        asked["type"] = match["type"]
    if match["who"]:
        key, _, value = match["who"].partition("=")
        asked[key] = value.split(",") if key == "tags" else value
    return asked


@pytest.mark.parametrize("group", groups())
def test_every_question_comes_out_as_the_authors_say(group: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(group["list"], "utf-8")
    match = f",match={group['match']}" if "match" in group else ""
    judge = Judge([wanted(f"{path},format={group['format']}{match}")])
    wrong = []
    for line in group["ask"]:
        asked = _ASK.fullmatch(line)
        assert asked, f"not a question: {line}"
        told = json.loads(next(answers(judge, io.StringIO(json.dumps(question(asked))))))
        good = (
            told["verdict"] == asked["verdict"]
            and (asked["answer"] is None or told.get("answer") == asked["answer"])
            and (asked["rule"] is None or told["rule"] == asked["rule"])
        )
        if not good:
            wrong.append(f"{line}\n      got {told}")
    assert not wrong, "\n".join(wrong)


def test_there_are_hundreds_of_cases() -> None:
    assert sum(len(param.values[0]["ask"]) for param in groups()) >= 450
