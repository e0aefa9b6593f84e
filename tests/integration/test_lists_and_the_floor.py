"""Nobody at a school excepts a name of the floor by a line in a list: not in the list of the same
category, not with any modifier, not in another format, not by an address, not through another
source. Shown by `filterd explain`, by the status and by the control method that edits own lists."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from filterd.cli import main
from filterd.lists.badfilter import cancelled
from filterd.lists.entry import Rule
from filterd.lists.index import open_index
from filterd.lists.precedence import ListMeta
from filterd.live import Snapshot, write_snapshot
from filterd.policy import document
from filterd.policy.model import CategoryId, ListId
from filterd.policy.ruleset import compile_ruleset
from filterd.policy.taxonomy import FLOOR, load
from filterd.policy.verdict import Blocked, Placement, Question
from filterd.wire.names import Name
from tests.fake_index import FakeIndex, listing

ROOT = Path(__file__).parents[2]
ATTEMPTS = {
    "an important exception": "@@||evil.example^$important",
    "an exception for the name alone": "@@|evil.example^$important",
    "an exception by expression": "@@/evil/$important",
    "an exception for one client": "@@||evil.example^$client=127.0.0.1,important",
    "a badfilter against the list": "||evil.example^$badfilter",
    "a rewrite": "||evil.example^$dnsrewrite=192.0.2.80",
    "a rewrite to itself": "||evil.example^$dnsrewrite=evil.example",
    "an exception of rewrites": "@@||evil.example^$dnsrewrite",
    "an answer of a hosts line": "192.0.2.80 evil.example",
    "dnsmasq's ordinary upstream": "local=/x.example/\nserver=/evil.example/#",
    "an RPZ pass": "$TTL 60\n@ SOA a. b. 1 1 1 1 1\nevil.example CNAME rpz-passthru.\nx CNAME .",
    "an address": "@@192.0.2.66\n@@||192.0.2.66^",
}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of a box on which every floor category has a list with evil.example in it."""
    folder = tmp_path_factory.mktemp("floor")
    blocklists = folder / "blocklists"
    shutil.copytree(ROOT / "blocklists", blocklists)
    entries = []
    for category in FLOOR:
        (blocklists / f"{category}.list").write_text("||evil.example^\n192.0.2.66\n")
        entries.append(
            f"  - {{id: l_{category}, title: {{vi: x, en: x}}, category: {category},"
            f" file: {category}.list}}\n"
        )
    (blocklists / "catalogue.yaml").write_text("sources:\n" + "".join(entries))
    settings = f"state_dir: {folder / 'state'}\ncatalogue: {blocklists / 'catalogue.yaml'}\n"
    (folder / "filterd.yaml").write_text(settings)
    assert main(["lists", "compile", "--config", str(folder / "filterd.yaml")]) == 0
    return folder


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_line_in_an_own_list_excepts_nothing_of_the_floor(
    box: Path, capsys: pytest.CaptureFixture[str], attempt: str
) -> None:
    config = str(box / "filterd.yaml")
    local = box / "state" / "lists" / "local"
    local.mkdir(exist_ok=True)
    for category in (*FLOOR, "ads"):
        (local / f"{category}.txt").write_text(ATTEMPTS[attempt] + "\n")
    assert main(["explain", "--json", "--config", config, "--client", "127.0.0.1",
                 "evil.example"]) == 0  # fmt: skip
    told = json.loads(capsys.readouterr().out)["verdicts"]
    assert {one["verdict"] for one in told} == {"blocked"}
    assert {one["step"] for one in told} == {"floor_everyone"}
    assert main(["explain", "--json", "--config", config, "evil.example"]) == 0
    every = json.loads(capsys.readouterr().out)["verdicts"]
    assert len(every) >= 5 and {one["verdict"] for one in every} == {"blocked"}
    _judge_address(open_index(box / "state" / "lists" / "index.fdx"))


def _judge_address(index: object) -> None:
    files = {path.name: path.read_text("utf-8") for path in (ROOT / "policies").glob("*.yaml")}
    taxonomy = load(ROOT / "blocklists")
    ruleset = compile_ruleset(document.parse(files, taxonomy), taxonomy, index, 1)  # type: ignore[arg-type]
    for tier in ruleset.policy.tiers:
        effective = ruleset.effective(Placement(tier.id), None)
        asked = Question(Name("harmless.example"), 1)
        assert effective.answer_verdict(asked, [bytes((192, 0, 2, 66))]), tier.id


def test_the_status_counts_what_was_refused_and_shows_it(
    box: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, local = str(box / "filterd.yaml"), box / "state" / "lists" / "local"
    local.mkdir(exist_ok=True)
    for old in local.glob("*.txt"):
        old.unlink()
    text = "extra.example\n@@||evil.example^$important\n||evil.example^$badfilter\n@@192.0.2.66\n"
    (local / "authority.txt").write_text(text)
    assert main(["lists", "status", "--json", "--config", config]) == 0
    own = json.loads(capsys.readouterr().out)["own"]
    assert own == [
        {"file": "local/authority.txt", "category": "authority", "entries": 1, "error": None,
         "dropped": {"floor_exception": 3},
         "samples": ["floor_exception: @@||evil.example^$important (2)",
                     "floor_exception: ||evil.example^$badfilter (3)",
                     "floor_exception: @@192.0.2.66 (4)"]}
    ]  # fmt: skip
    assert main(["lists", "status", "--config", config]) == 0
    assert "local/authority.txt: 1 entries, not used: 3 floor_exception" in capsys.readouterr().out


def test_an_own_list_outside_the_floor_may_except(
    box: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    local = box / "state" / "lists" / "local"
    local.mkdir(exist_ok=True)
    (local / "ads.txt").write_text("@@||shop.example^\n")
    found = open_index(local.parent / "index.fdx").listings(Question(Name("shop.example"), 1))
    assert [(one.category, one.exception) for one in found] == [("ads", True)]


def test_an_own_list_blocks_no_public_suffix_and_no_protected_name(
    box: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line too much must not take a whole country, or the ministry, off the school's network;
    a suffix that belongs to a company may be blocked, and names below a protected one."""
    local = box / "state" / "lists" / "local"
    local.mkdir(exist_ok=True)
    for old in local.glob("*.txt"):
        old.unlink()
    (local / "malware.txt").write_text(
        "vn\ncom.vn\n||edu.vn^\nmoet.gov.vn\ngov.vn\n/moet/\n||vn^$dnstype=A\n"
        "duckdns.org\nads.moet.gov.vn\nshop.example\n"
    )
    index = open_index(local.parent / "index.fdx")

    def is_blocked(name: str) -> bool:
        return any(not one.exception for one in index.listings(Question(Name(name), 1)))

    for name in ("vn", "a.com.vn", "x.edu.vn", "moet.gov.vn", "www.moet.gov.vn", "abc.vn"):
        assert not is_blocked(name), name
    for name in ("x.duckdns.org", "ads.moet.gov.vn", "www.shop.example"):
        assert is_blocked(name), name
    assert main(["lists", "status", "--json", "--config", str(box / "filterd.yaml")]) == 0
    own = json.loads(capsys.readouterr().out)["own"][0]
    assert own["entries"] == 3
    assert own["dropped"] == {"public_suffix": 4, "protected_name": 3}
    assert "protected_name: moet.gov.vn (4)" in own["samples"]


def test_lists_compiled_by_hand_spare_the_schools_own_names(tmp_path: Path) -> None:
    """`filterd lists compile` knows no running policy, but the last one that ran is on the disk."""
    (tmp_path / "bad.txt").write_text("other.example\nportal.truong.example\n")
    shutil.copytree(ROOT / "blocklists", tmp_path / "blocklists")
    (tmp_path / "blocklists" / "catalogue.yaml").write_text(
        "sources:\n  - {id: bad, title: {vi: x, en: x}, category: malware, file: ../bad.txt}\n"
    )
    (tmp_path / "filterd.yaml").write_text(
        f"state_dir: {tmp_path / 'state'}\n"
        f"catalogue: {tmp_path / 'blocklists' / 'catalogue.yaml'}\n"
    )
    files = {path.name: path.read_text("utf-8") for path in (ROOT / "policies").glob("*.yaml")}
    school = yaml.safe_load(files["school.yaml"])
    record = {"name": "portal.truong.example", "type": "A", "value": "10.0.0.7"}
    school["local"] = {"records": [record]}
    files["school.yaml"] = yaml.safe_dump(school, allow_unicode=True)
    (tmp_path / "state" / "run").mkdir(parents=True)
    write_snapshot(tmp_path / "state/run/policy-last.json", Snapshot(7, files, ()))
    assert main(["lists", "compile", "--config", str(tmp_path / "filterd.yaml")]) == 0
    index = open_index(tmp_path / "state" / "lists" / "index.fdx")
    assert index.listings(Question(Name("www.other.example"), 1))
    assert not index.listings(Question(Name("portal.truong.example"), 1))


@pytest.mark.parametrize("category", FLOOR)
def test_even_an_exception_that_got_into_the_lists_is_not_honoured(category: str) -> None:
    """The decision itself, whatever a reader let through: another list's exception counts for
    nothing, and in csam and authority not even the list's own."""
    files = {path.name: path.read_text("utf-8") for path in (ROOT / "policies").glob("*.yaml")}
    taxonomy = load(ROOT / "blocklists")
    exception = listing(category, "@@||evil.example^$important", "local", exception=True,
                        important=True)  # fmt: skip
    rules = {"evil.example": (exception, listing(category, list="theirs"))}
    ruleset = compile_ruleset(document.parse(files, taxonomy), taxonomy, FakeIndex(rules), 1)
    for tier in ruleset.policy.tiers:
        if FLOOR[category].value == "pupils" and not tier.pupils:
            continue
        found = ruleset.effective(Placement(tier.id), None).verdict(
            Question(Name("www.evil.example"), 1)
        )
        assert isinstance(found, Blocked), (tier.id, found)
        assert (found.origin.list, found.origin.category) == ("theirs", category)


def test_a_badfilter_of_one_list_leaves_another_ones_floor() -> None:
    rule = Rule(1, "||evil.example^$badfilter", 3, name=Name("evil.example"), badfilter=True)

    def gone(category: str) -> list[int]:
        metas = [ListMeta(ListId(x), CategoryId(category), "adblock") for x in ("one", "two")]
        return [len(c.names) for c in cancelled(zip(metas, ([rule], []), strict=True))]

    assert gone("ads") == [1, 1]
    assert all(gone(category) == [1, 0] for category in FLOOR)
    office = ListMeta(ListId("office_ads"), CategoryId("ads"), "adblock", "office/ads.txt")
    local = ListMeta(ListId("local_ads"), CategoryId("ads"), "adblock", "local/ads.txt")
    found = cancelled(((office, []), (local, [rule])))
    assert [len(each.names) for each in found] == [0, 1]
