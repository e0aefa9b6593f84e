"""Every refusal is told in the reader's language; nothing of its English detail reaches a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask

from admin_ui.office import causes
from admin_ui.shared import web
from admin_ui.shared.control import GUEST
from filterd.evidence.chain import Outcome

ROOT = Path(__file__).parents[3]
READ = (
    "admin_ui/office/ingest.py", "admin_ui/office/keeping.py", "filterd/evidence/signing.py",
    "filterd/evidence/summary.py",
)  # fmt: skip
NOT_AT_INGEST = {"key"}  # a device's own key file


@pytest.fixture(scope="module")
def app() -> Flask:
    return web.create(__name__, who=GUEST, call=lambda *_: {})


def codes() -> set[str]:
    """Every code with which a summary can be refused, read from the code that refuses."""
    text = "".join((ROOT / name).read_text("utf-8") for name in READ)
    found = set(re.findall(r'EvidenceError\(\s*"(\w+)"', text))
    enrolment = (ROOT / "admin_ui/office/enrolment.py").read_text("utf-8")
    usable = enrolment[enrolment.index("def usable") :].split("\ndef ")[0]
    found |= set(re.findall(r'EvidenceError\(\s*"(\w+)"', usable))
    return (found | {each.value for each in Outcome if each.refused}) - NOT_AT_INGEST


@pytest.mark.parametrize("language", ["vi", "en"])
def test_each_code_has_its_sentence(app: Flask, language: str) -> None:
    assert len(codes()) >= 15
    with app.test_request_context(headers={"Cookie": f"filterd_language={language}"}):
        told = {code: causes.cause(code) for code in sorted(codes())}
    assert not [code for code, text in told.items() if text == code], told
    assert len(set(told.values())) == len(told)
    letters = set("ăâđêôơưạảấậắặếệốộớợứựịọụỵ")
    assert all(bool(set(text) & letters) is (language == "vi") for text in told.values()), told


@pytest.mark.parametrize(
    ("code", "detail", "shown"),
    [
        ("replay", "counter 17: replay", "17"),
        ("size", "summary of 300000 bytes, limit 262144", "300000"),
        ("schema", "time/exposed_s: -1 is less than the minimum of 0", "time/exposed_s"),
        ("schema", "2026-02-30 is in no calendar", ""),
        ("signature", "the signature does not fit the record", ""),
        ("envelope", "not a signed record: Expecting value: line 1", ""),
    ],
)
def test_of_the_detail_only_what_needs_no_language_is_shown(
    code: str, detail: str, shown: str
) -> None:
    assert causes.fact(code, detail) == shown


@pytest.mark.parametrize("what", ["+ x.example", "- x.example", "method v1", "floor", "catalogue",
                                  "renewed", "new release key", ""])  # fmt: skip
def test_each_change_of_a_release_has_its_words(app: Flask, what: str) -> None:
    with app.test_request_context(headers={"Cookie": "filterd_language=vi"}):
        assert causes.change(what) not in ("", what)
