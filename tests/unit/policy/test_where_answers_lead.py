"""`explain` follows an answer as the resolver judges it: every hop, every address, every tier."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from filterd.cli import main
from filterd.policy import document
from filterd.policy.explain import explain, wanted
from filterd.policy.model import CategoryId, ListId, Name
from filterd.policy.onward import Looked
from filterd.policy.ruleset import Ruleset, compile_ruleset
from filterd.policy.taxonomy import Taxonomy
from filterd.policy.verdict import Listing, Placement, Question
from filterd.wire.constants import HTTPS, A

LESSON = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


class Lists:
    """`ads.example` is an advertiser, bad.example and 203.0.113.66 spread malware."""

    version = "test"

    def listings(self, question: Question) -> tuple[Listing, ...]:
        if question.name == "bad.example":
            return (Listing(ListId("l"), CategoryId("malware"), "bad.example", "bad.txt", 1),)
        if question.name != "ads.example" and not question.name.endswith(".ads.example"):
            return ()
        return (Listing(ListId("l"), CategoryId("ads"), "ads.example", "ads.txt", 3),)

    def address_listings(self, packed: bytes) -> tuple[Listing, ...]:
        if packed != bytes([203, 0, 113, 66]):
            return ()
        rule = "203.0.113.66"
        return (Listing(ListId("ips"), CategoryId("malware"), rule, "ips.txt", 9),)


@pytest.fixture
def ruleset(shipped_files: dict[str, str], taxonomy: Taxonomy) -> Ruleset:
    return compile_ruleset(document.parse(shipped_files, taxonomy), taxonomy, Lists(), 1)


def verdicts(ruleset: Ruleset, found: Looked, kind: int = A) -> dict[str, tuple[object, ...]]:
    question = Question(Name("news.example"), kind)
    tiers = [Placement(tier.id) for tier in ruleset.policy.tiers]
    explained = explain(ruleset, question, tiers, LESSON, {found.name: found}.get)
    rows = [each.as_json() for each in explained]
    return {str(r["tier"]): (r["verdict"], r["step"], r["rule"], r["answer"]) for r in rows}


def test_a_cname_is_refused_in_the_tiers_that_refuse_it(ruleset: Ruleset) -> None:
    cloaked = Looked(Name("news.example"), (Name("cdn.example"), Name("x.ads.example")))
    found = verdicts(ruleset, cloaked)
    assert found["primary"][:3] == ("blocked", "category", "ads.example")
    assert found["staff"][:2] == ("allowed", "forward")
    assert found["preschool"][1] == "allow_only"


def test_an_address_of_a_list_refuses_the_answer_for_everyone(ruleset: Ruleset) -> None:
    clean, bad = bytes([192, 0, 2, 1]), bytes([203, 0, 113, 66])
    found = verdicts(ruleset, Looked(Name("news.example"), (), (clean, bad)))
    assert found["staff"][:3] == ("blocked", "floor_everyone", "203.0.113.66")


def test_private_addresses_leave_the_answer_and_refuse_it_only_when_nothing_is_left(
    ruleset: Ruleset,
) -> None:
    public, private = bytes([192, 0, 2, 1]), bytes([10, 0, 0, 1])
    found = verdicts(ruleset, Looked(Name("news.example"), (), (public, private)))
    assert found["primary"][0] == "allowed"
    found = verdicts(ruleset, Looked(Name("news.example"), (), (private,)), HTTPS)
    assert found["primary"] == ("blocked", "special", "rebinding", "nodata")


def test_nobody_is_asked_about_a_name_that_every_tier_refuses(ruleset: Ruleset) -> None:
    tiers = [Placement(tier.id) for tier in ruleset.policy.tiers]
    opened = Question(Name("news.example"), A)
    search = Question(Name("www.google.com"), A)
    assert wanted(ruleset, opened, tiers, LESSON) == ("news.example",)
    assert "forcesafesearch.google.com" in wanted(ruleset, search, tiers, LESSON)
    assert wanted(ruleset, Question(Name("bad.example"), A), tiers, LESSON) == ()


@pytest.fixture
def settings(tmp_path: Path) -> str:
    path = tmp_path / "filterd.yaml"
    path.write_text(f"state_dir: {tmp_path / 'state'}\n", "utf-8")
    return str(path)


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, list[dict[str, object]]]:
    assert main(["explain", "--json", *words]) == 0
    found: dict[str, list[dict[str, object]]] = json.loads(capsys.readouterr().out)
    return found


def test_offline_the_chain_is_what_one_tells_or_unknown(
    capsys: pytest.CaptureFixture[str], settings: str
) -> None:
    words = ("--config", settings, "--tier", "primary", "news.example")
    found = asked(capsys, *words)
    assert found["verdicts"][0]["chain"] is None
    assert any("unknown" in str(note["en"]) for note in found["notes"])
    found = asked(capsys, *words, "--chain", "cdn.example, www.tiktok.com,192.0.2.1")
    (row,) = found["verdicts"]
    assert (row["verdict"], row["step"], row["rule"]) == ("blocked", "category", "tiktok")
    assert [(hop["name"], hop["verdict"]) for hop in row["chain"]] == [  # type: ignore[attr-defined]
        ("cdn.example", "allowed"),
        ("www.tiktok.com", "blocked"),
    ]
    assert main(["explain", *words, "--chain", "a..b"]) == 2
    assert "filterd explain:" in capsys.readouterr().err


def test_the_table_shows_the_way(capsys: pytest.CaptureFixture[str], settings: str) -> None:
    words = ["--config", settings, "--lang", "en", "news.example", "--chain", "www.tiktok.com"]
    assert main(["explain", *words]) == 0
    out = capsys.readouterr().out
    assert "→ www.tiktok.com · tiktok · services" in out
    assert "news.example → www.tiktok.com ✗" in out
