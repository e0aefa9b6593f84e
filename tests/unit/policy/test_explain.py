"""Explaining a name: as people type it, for every tier, with a way to change it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from filterd.cli import main
from filterd.live import Snapshot, write_snapshot
from filterd.policy.explain import CHANGES, typed_name
from filterd.policy.verdict import Step

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("example.com", "example.com"),
        (" Example.COM. ", "example.com"),
        ("https://www.Example.com/a/b?c#d", "www.example.com"),
        ("http://user:secret@example.com:8080/", "example.com"),
        ("//example.com/x", "example.com"),
        ("example.com:443", "example.com"),
        ("example.com/path", "example.com"),
        ("example.com?q=1", "example.com"),
        ("mailto:a.b@example.com", "example.com"),
        ("*.example.com", "example.com"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("_dns.resolver.arpa", "_dns.resolver.arpa"),
    ],
)
def test_names_as_people_paste_them(typed: str, name: str) -> None:
    assert typed_name(typed) == name


@pytest.mark.parametrize("typed", ["", "   ", "https://", "a..b", "x" * 64, "a b", "https:///x"])
def test_what_holds_no_name(typed: str) -> None:
    with pytest.raises(ValueError):
        typed_name(typed)


def test_every_step_has_a_way_to_change_it() -> None:
    assert set(CHANGES) == set(Step)


@pytest.fixture
def settings(tmp_path: Path) -> str:
    path = tmp_path / "filterd.yaml"
    path.write_text(f"state_dir: {tmp_path / 'state'}\n", "utf-8")
    return str(path)


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert main(["explain", "--json", *words]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_all_tiers_offline_and_without_lists(
    capsys: pytest.CaptureFixture[str], settings: str
) -> None:
    found = asked(
        capsys, "--config", settings, "--at", "2026-11-23T09:00", "https://facebook.com/x"
    )
    assert found["name"] == "facebook.com" and found["at"] == "2026-11-23T09:00:00+07:00"
    verdicts = found["verdicts"]
    assert isinstance(verdicts, list)
    assert [(one["tier"], one["verdict"]) for one in verdicts] == [
        ("preschool", "blocked"),
        ("primary", "blocked"),
        ("lower_secondary", "blocked"),
        ("upper_secondary", "blocked"),
        ("staff", "allowed"),
    ]
    first = verdicts[0]
    assert (first["rule"], first["list"], first["file"]) == (
        "facebook",
        "services",
        "services.yaml",
    )
    assert first["line"] > 0 and first["change"]["vi"]
    assert any("NO LISTS" in note["en"] for note in found["notes"])  # type: ignore[attr-defined]


def test_one_client(capsys: pytest.CaptureFixture[str], settings: str) -> None:
    found = asked(capsys, "--config", settings, "--client", "127.0.14.9", "facebook.com")
    assert [one["tier"] for one in found["verdicts"]] == ["staff"]  # type: ignore[attr-defined]
    found = asked(capsys, "--config", settings, "--client", "192.0.2.77", "facebook.com")
    assert [one["tier"] for one in found["verdicts"]] == ["preschool"]  # type: ignore[attr-defined]


def test_the_policy_that_ran_last_is_what_is_explained(
    capsys: pytest.CaptureFixture[str],
    settings: str,
    tmp_path: Path,
    shipped_files: dict[str, str],
) -> None:
    block = "overrides:\n  - {name: example.com, action: block, reason: r, author: a}\n"
    files = dict(shipped_files)
    files["school.yaml"] = files["school.yaml"].replace("overrides: []\n", block)
    (tmp_path / "state" / "run").mkdir(parents=True)
    last = tmp_path / "state" / "run" / "policy-last.json"
    write_snapshot(last, Snapshot(7, files, ()))
    found = asked(capsys, "--config", settings, "--tier", "staff", "example.com")
    assert found["revision"] == 7
    (verdict,) = found["verdicts"]  # type: ignore[misc]
    line = files["school.yaml"][: files["school.yaml"].index("- {name: example.com")].count("\n")
    assert (verdict["step"], verdict["file"], verdict["line"]) == (
        *("override", "school.yaml"),
        line + 1,
    )
    last.write_text(last.read_text("utf-8").replace("example.com", "example.net"), "utf-8")
    found = asked(capsys, "--config", settings, "--tier", "staff", "example.com")
    assert found["revision"] == 0
    assert any("damaged" in note["en"] for note in found["notes"])  # type: ignore[attr-defined]


def test_the_table_names_rule_and_place(capsys: pytest.CaptureFixture[str], settings: str) -> None:
    assert main(["explain", "--config", settings, "--lang", "vi", "tiktok.com"]) == 0
    out = capsys.readouterr().out
    assert "BẬC" in out and "chặn (nxdomain)" in out and "tiktok · services · social" in out


@pytest.mark.parametrize(
    "words",
    [["a..b"], ["--tier", "gone", "a.vn"], ["--client", "x", "a.vn"], ["--at", "noon", "a.vn"]],
)
def test_what_cannot_be_read_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], settings: str, words: list[str]
) -> None:
    assert main(["explain", "--config", settings, *words]) == 2
    assert "filterd explain:" in capsys.readouterr().err


def test_the_line_of_an_order_of_a_record_and_of_a_search_engine(
    capsys: pytest.CaptureFixture[str],
    settings: str,
    tmp_path: Path,
    shipped_files: dict[str, str],
) -> None:
    order = "{name: ordered.example, document: 12/CV, issuer: Sở, issued: 2026-11-01}"
    record = "{name: may-in.truong.lan, value: 10.0.0.9}"
    text = shipped_files["school.yaml"]
    text = text.replace("authority: []\n", f"authority:\n  - {order}\n")
    text = text.replace("  records: []\n", f"  records:\n    - {record}\n")
    files = {**shipped_files, "school.yaml": text}
    (tmp_path / "state" / "run").mkdir(parents=True)
    write_snapshot(tmp_path / "state" / "run" / "policy-last.json", Snapshot(7, files, ()))
    lines = files["school.yaml"].splitlines()
    engines = (ROOT / "blocklists" / "safesearch.yaml").read_text("utf-8").splitlines()
    for name, step, file, line in [
        ("x.ordered.example", "floor_everyone", "school.yaml", lines.index(f"  - {order}") + 1),
        ("may-in.truong.lan", "local", "school.yaml", lines.index(f"    - {record}") + 1),
        ("www.bing.com", "safe_search", "safesearch.yaml", engines.index("  - id: bing") + 1),
    ]:
        words = ("--config", settings, "--tier", "primary", "--offline", name)
        (found,) = asked(capsys, *words)["verdicts"]  # type: ignore[misc]
        assert (found["step"], found["file"], found["line"]) == (step, file, line)
