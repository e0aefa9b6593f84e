"""Runs `tests/scenarios/policy/*.yaml`: situations at a school and what the filter must say.

A scenario changes keys of the shipped files (`school:`, `tiers: {id: …}`), says what the lists
hold (`lists: {category: [names]}`, `@@name` an exception, `list:name` another list than usual) and
asks. `want` is the outcome and the step; other keys of a question are checked when written.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml

from filterd.policy import document
from filterd.policy.expect import outcome
from filterd.policy.model import Name, SegmentId, TierId
from filterd.policy.ruleset import Ruleset, compile_ruleset
from filterd.policy.tables import Surroundings
from filterd.policy.taxonomy import load
from filterd.policy.verdict import (
    Alias,
    Blocked,
    Listing,
    Local,
    Placement,
    Question,
    Rewritten,
    Verdict,
)
from filterd.wire.names import from_text
from tests.fake_index import FakeIndex, listing

ROOT = Path(__file__).parents[2]
TYPES = {"A": 1, "AAAA": 28, "HTTPS": 65, "TXT": 16, "MX": 15, "SVCB": 64, "PTR": 12, "NS": 2}
NOW = "2026-11-23T09:00:00+07:00"
ASKED = {"name", "tier", "segment", "type", "at", "want", "meets", "gets"}
CHECKED = {"category", "list", "rule", "ede", "ttl", "action", "until", "answer", "file"}


def cases() -> list[Any]:
    found = []
    for path in sorted((ROOT / "tests/scenarios/policy").glob("*.yaml")):
        for scenario in yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader):
            found.append(pytest.param(scenario, id=f"{path.stem}: {scenario['title']}"))
    return found


@pytest.mark.parametrize("scenario", cases())
def test_scenario(scenario: dict[str, Any]) -> None:
    assert set(scenario) <= {"title", "school", "tiers", "lists", "addresses", "served", "ask"}
    ruleset = _ruleset(scenario)
    for asked in scenario["ask"]:
        assert set(asked) <= ASKED | CHECKED, asked
        _check(ruleset, asked)


def _ruleset(scenario: dict[str, Any]) -> Ruleset:
    files = {}
    for path in (ROOT / "policies").glob("*.yaml"):
        content = yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)
        if path.name == "school.yaml":
            content |= scenario.get("school", {})
        else:
            content |= scenario.get("tiers", {}).get(path.stem, {})
        files[path.name] = yaml.safe_dump(content, allow_unicode=True)
    taxonomy = load(ROOT / "blocklists")
    policy = document.parse(files, taxonomy)
    surroundings = Surroundings(served=tuple(map(from_text, scenario.get("served", []))))
    return compile_ruleset(policy, taxonomy, _index(scenario), 1, surroundings)


def _index(scenario: dict[str, Any]) -> FakeIndex:
    rules: dict[str, list[Listing]] = defaultdict(list)
    for category, texts in scenario.get("lists", {}).items():
        for text in texts:
            source, _, name = text.rpartition(":")
            found = listing(
                category,
                text,
                source or f"{category}-list",
                exception=name.startswith("@@"),
                important=name.endswith("!"),
            )
            rules[name.removeprefix("@@").removesuffix("!")].append(found)
    # As an index gives them: what wins inside a category first.
    ordered = {
        name: sorted(found, key=lambda rule: (not rule.important, not rule.exception))
        for name, found in rules.items()
    }
    addresses = {ip_address(a).packed: c for a, c in scenario.get("addresses", {}).items()}
    return FakeIndex(ordered, addresses)


def _check(ruleset: Ruleset, asked: dict[str, Any]) -> None:
    at = asked.get("at", NOW)
    segment = SegmentId(asked["segment"]) if "segment" in asked else None
    placement = Placement(TierId(asked["tier"]), segment)
    moment = None if at == "unknown" else datetime.fromisoformat(at)
    effective = ruleset.effective(placement, moment)
    question = Question(from_text(asked["name"]), TYPES[asked.get("type", "A")])
    verdict: Verdict | None = effective.verdict(question)
    if "meets" in asked:
        assert verdict is not None
        target = Question(from_text(asked["meets"]), question.qtype)
        verdict = effective.target_verdict(target, verdict)
    if "gets" in asked:
        verdict = effective.answer_verdict(question, [ip_address(asked["gets"]).packed])
    got = f"{outcome(verdict)} {verdict.origin.step}" if verdict is not None else "nothing"
    assert got == asked["want"], (asked, verdict)
    if "until" in asked:
        assert effective.until == datetime.fromisoformat(asked["until"]), effective.until
    for key in (CHECKED - {"until"}) & set(asked):
        assert _shown(verdict, key) == asked[key], (asked, verdict)


def _shown(verdict: Verdict | None, key: str) -> str:
    assert verdict is not None
    if key == "answer":
        assert isinstance(verdict, Rewritten)
        return _answer(verdict.answer)
    if key in ("ede", "ttl", "action"):
        assert isinstance(verdict, Blocked)
        return str(getattr(verdict, key))
    return str(getattr(verdict.origin, key))


def _answer(answer: Alias | Local) -> str:
    if isinstance(answer, Alias):
        return f"CNAME {answer.target}"
    if answer.rcode:
        return {3: "NXDOMAIN"}[answer.rcode]
    return ", ".join(f"{type} {value}" for _, type, _, value in answer.records) or "NODATA"


def test_an_unknown_tier_gets_the_strictest() -> None:
    ruleset = _ruleset({})
    effective = ruleset.effective(Placement(TierId("gone")), None)
    assert effective.tier == ruleset.strictest == "preschool"
    assert isinstance(effective.verdict(Question(Name("example.com"), 1)), Blocked)
