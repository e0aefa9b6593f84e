"""Policy, shipped lists and the compiled index together: what `filterd explain` then says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from filterd.cli import main
from filterd.lists.compiler import run
from filterd.lists.index import open_index
from filterd.lists.job import Job, JobList
from filterd.policy import document, expect
from filterd.policy.ruleset import compile_ruleset
from filterd.policy.taxonomy import CATEGORIES, load
from filterd.policy.verdict import Blocked, Placement, Question

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings whose state directory holds an index of the shipped lists and one more."""
    base = tmp_path_factory.mktemp("explain")
    lists = base / "state" / "lists"
    lists.mkdir(parents=True)
    (base / "p.txt").write_text("# one\nlisted.example\n", "utf-8")
    wanted = [
        JobList(path.stem, path.stem, str(path), "domains", file=path.name)
        for path in sorted((ROOT / "blocklists" / "lists").glob("*.txt"))
        if path.stem in CATEGORIES
    ]
    wanted.append(JobList("mine", "porn", str(base / "p.txt"), "domains", file="p.txt"))
    run(Job(str(lists / "index.fdx"), tuple(wanted), CATEGORIES))
    made = [path for path in lists.glob("*.fdx") if not path.is_symlink()]
    if not (lists / "index.fdx").exists():
        (lists / "index.fdx").symlink_to(made[0])
    (base / "filterd.yaml").write_text(f"state_dir: {base / 'state'}\n", "utf-8")
    return base


def test_the_rule_its_list_its_file_and_line(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(settings / "filterd.yaml")
    assert main(["explain", "--json", "--config", config, "https://WWW.Listed.example/"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert not any("NO LISTS" in note["en"] for note in found["notes"])
    by_tier = {one["tier"]: one for one in found["verdicts"]}
    primary = by_tier["primary"]
    assert (primary["step"], primary["list"], primary["file"], primary["line"]) == (
        *("floor_pupils", "mine", "p.txt", 2),
    )
    assert by_tier["staff"]["step"] == "category"


def test_the_shipped_policies_hold_over_the_shipped_lists(settings: Path) -> None:
    taxonomy = load(ROOT / "blocklists")
    files = {path.name: path.read_text("utf-8") for path in (ROOT / "policies").glob("*.yaml")}
    policy = document.parse(files, taxonomy)
    index = open_index(settings / "state" / "lists" / "index.fdx")
    assert expect.check(compile_ruleset(policy, taxonomy, index, 1), policy) == ()


def test_the_must_allow_pack_is_reachable_for_pupils(settings: Path) -> None:
    """Requirement R2: what lessons, help and updates need is blocked in no pupils' tier."""
    taxonomy = load(ROOT / "blocklists")
    files = {path.name: path.read_text("utf-8") for path in (ROOT / "policies").glob("*.yaml")}
    policy = document.parse(files, taxonomy)
    index = open_index(settings / "state" / "lists" / "index.fdx")
    ruleset = compile_ruleset(policy, taxonomy, index, 1)
    refused = [
        (tier.id, group.id, name, str(verdict.origin.step), verdict.origin.rule)
        for tier in policy.tiers
        if not tier.allow_only
        for effective in [ruleset.effective(Placement(tier.id), None)]
        for group in taxonomy.must_allow.values()
        for name in group.names
        if isinstance(verdict := effective.verdict(Question(name, 1)), Blocked)
    ]
    assert refused == []
