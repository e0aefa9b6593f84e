"""The report: complete record, signature, both languages, PDF with its limits on page 1, XLSX."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from datetime import date
from functools import cache
from pathlib import Path

import openpyxl
import pytest

from filterd.evidence import calendar, signing
from filterd.evidence.decision import Status
from filterd.evidence.governance import Governance, checked, fact
from filterd.evidence.indicators import Facts, Period
from filterd.evidence.report import record, render, sheet
from filterd.evidence.report.words import table
from tests.lab.evidence_school import METHOD, shipped, words
from tests.lab.school_month import perfect_month

GOVERNANCE: Governance = {
    "roles": [
        {"role": role, "name": f"Người {role}", "assigned_on": "2026-09-01"}
        for role in ("head", "it", "focal_point", "deputy")
    ],
    "reviews": [{"date": "2026-09-10", "trigger": "yearly", "findings": "=1+1"}],
    "sessions": [
        {"date": "2026-11-12", "title": "An toàn trên mạng", "grade": "4", "participants": 132},
        {"date": "2026-10-12", "title": "Tháng trước", "participants": 10},
    ],
    "dpia": "done",
    "notice": {"version": "1.2", "date": "2026-09-05", "current": True},
}


@cache
def made(key_folder: Path, days: int = 21) -> tuple[record.Record, bytes]:
    key = signing.device_key(key_folder)
    period = Period.month("2026-11", date(2026, 11, days))
    facts = Facts.gather(period, perfect_month()[:days])
    sources = record.Sources(
        shipped(words()), facts, METHOD, GOVERNANCE, calendar.load(), date(2026, 11, 21)
    )
    return record.build(sources, key), key.public


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


def page(made_record: record.Record, language: str) -> str:
    return render.html(made_record, METHOD, render.titles_of(words().categories), language)


def test_the_record_has_every_field_of_the_specification(keys: Path) -> None:
    said, _ = made(keys)
    wanted = (
        "method_version school_id facility_type levels commune_id period as_of status gates tiers "
        "locked_sets lists bypass_suite safesearch limits reviews roles tickets changes "
        "awareness_sessions suppressed_cells privacy legal_basis recipients signature"
    )
    assert set(wanted.split()) <= set(said)
    gates = said["gates"]
    assert isinstance(gates, dict)
    assert list(gates) == list(METHOD.thresholds)
    assert {"value", "n", "threshold", "verdict", "measurable"} <= set(gates["I1"])  # type: ignore[arg-type]


def test_the_signature_covers_every_number(keys: Path) -> None:
    said, public = made(keys)
    assert record.verified(said, public)
    from filterd.errors import EvidenceError

    forged = {**said, "status": "met"}
    assert said["status"] == Status.CONDITIONAL
    with pytest.raises(EvidenceError):
        record.verified(forged, public)


def test_partial_month_says_so(keys: Path) -> None:
    said, _ = made(keys)
    text = page(said, "vi")
    assert "kỳ chưa kết thúc" in text
    assert "21/11/2026" in text


@pytest.mark.parametrize("language", ["vi", "en"])
def test_no_key_goes_unwritten(keys: Path, language: str) -> None:
    text = re.sub(
        r"<style>.*?</style>|<svg.*?</svg>", "", page(made(keys)[0], language), flags=re.S
    )
    for leftover in ("reason ", "limit ", "bypass ", "verdict ", "keep ", "status_", "role_"):
        assert not re.search(rf">\s*{leftover}\w", text), leftover


def test_every_text_is_in_both_languages() -> None:
    for key, texts in table().items():
        assert set(texts) == {"vi", "en"}, key
        fields = [set(re.findall(r"{(\w+)}", text)) for text in texts.values()]
        assert fields[0] == fields[1], key


def test_every_reason_code_of_the_indicators_has_words() -> None:
    source = "\n".join(
        path.read_text("utf-8")
        for path in (Path(record.__file__).parents[1] / "indicators").glob("*.py")
    )
    codes = set(re.findall(r'(?:unmeasured\(method, "\w+", |reason=)"(\w+)"', source))
    codes |= {"telemetry_missing", "never_online", "not_inline", "chain_broken", "weakened_alone"}
    assert len(codes) > 10
    assert {f"reason_{code}" for code in codes} <= set(table())


def test_hostile_text_stays_text(keys: Path) -> None:
    said = {**made(keys)[0], "school_name": "<script>alert(1)</script>"}
    assert "<script>" not in page(said, "vi")
    book = openpyxl.load_workbook(
        io.BytesIO(sheet.xlsx({**said, "school_name": "=1+1"}, METHOD, "vi"))
    )
    cell = book.worksheets[0]["B2"]
    assert (cell.value, cell.data_type) == ("'=1+1", "s")


def test_sessions_of_the_period_only(keys: Path) -> None:
    sessions = made(keys)[0]["awareness_sessions"]
    assert isinstance(sessions, list)
    assert [s["title"] for s in sessions] == ["An toàn trên mạng"]  # type: ignore[index,call-overload]


def test_the_sheet_opens_and_has_the_indicators(keys: Path) -> None:
    book = openpyxl.load_workbook(io.BytesIO(sheet.xlsx(made(keys)[0], METHOD, "vi")))
    rows = list(book["Các chỉ số"].values)
    assert [row[0] for row in rows[1:]] == list(METHOD.thresholds)


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler-utils is not installed")
def test_pdf_shows_result_and_limits_on_page_one(keys: Path, tmp_path: Path) -> None:
    file = tmp_path / "r.pdf"
    file.write_bytes(render.pdf(page(made(keys)[0], "vi")))
    first = subprocess.run(
        ["pdftotext", "-l", "1", str(file), "-"], capture_output=True, text=True, check=True
    ).stdout
    for wanted in ("ĐẠT CÓ ĐIỀU KIỆN", "Giới hạn của bộ lọc này", "4G/5G", "I5b", "đề xuất"):
        assert wanted in first


def test_the_qr_code_holds_digest_and_signature(keys: Path) -> None:
    said, _ = made(keys)
    assert render.qr(said).startswith("<svg")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_school_on_its_first_day_gets_a_report_too(keys: Path, language: str) -> None:
    key = signing.device_key(keys)
    facts = Facts.gather(Period.month("2026-11", date(2026, 11, 21)), [])
    sources = record.Sources(
        shipped(words()), facts, METHOD, {}, calendar.load(), date(2026, 11, 21)
    )
    said = record.build(sources, key)
    assert said["status"] == "insufficient"
    assert ("KHÔNG ĐỦ DỮ LIỆU" if language == "vi" else "INSUFFICIENT") in page(said, language)


def test_names_of_staff_do_not_travel_in_a_summary() -> None:
    assert "Người" not in str(fact(checked(GOVERNANCE)))


@pytest.mark.parametrize(
    "record_",
    [{"roles": [{"role": "king", "name": "x", "assigned_on": "2026-01-01"}]}, {"pupils": []},
     {"reviews": [{"date": "2026-13-01", "trigger": "yearly"}]}],
)  # fmt: skip
def test_a_governance_record_is_checked(record_: dict[str, object]) -> None:
    from filterd.errors import EvidenceError

    with pytest.raises(EvidenceError):
        checked(record_)
