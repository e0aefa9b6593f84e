"""The evidence page: the status in words, the self-test, the dates, and the report as a file."""

from __future__ import annotations

import json
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from admin_ui.school.views.evidence import minutes, periods
from filterd.evidence.method import load
from filterd.evidence.report.words import LANGUAGES, both, table
from tests.unit.admin_ui.conftest import ORIGIN
from tests.unit.admin_ui.fake_answers import blocklist
from tests.unit.admin_ui.fake_control import FakeControl, Refused
from tests.unit.admin_ui.fake_evidence import evidence

SHIPPED = "chỉ có các danh sách kèm theo sản phẩm"


def page(client: FlaskClient) -> str:
    answer = client.get("/evidence/")
    assert answer.status_code == 200, answer.text[:2000]
    return re.sub(r"\s+", " ", answer.text)


def test_the_status_and_its_reasons_are_said_in_words(administrator: FlaskClient) -> None:
    text = page(administrator)
    assert "CHƯA ĐẠT" in text
    assert "Vì others_stale" in text
    assert "98 %" in text  # I1: 99,98 %
    assert "99,98 %" in text
    assert "không đo được" in text
    assert "Ngưỡng (đề xuất)" in text
    assert "≤ 99,5 %" in text  # only I2b: lower is better
    assert text.count("≤") == 1


def test_what_is_asked_lies_within_the_month(
    administrator: FlaskClient, control: FakeControl
) -> None:
    text = page(administrator)
    assert control.asked("evidence.summaries") == [{"first": "2026-11-01", "last": "2026-11-23"}]
    assert "1,5 phút" in text  # 90 s of November; the 600 s of October are not this month's
    assert "11,5 phút" not in text


@pytest.mark.parametrize(
    ("lists", "verdict", "said"),
    [
        ([blocklist("games", entries=0, checked=None), blocklist("own", url=None)], "fail", True),
        ([blocklist("games")], "fail", False),
        ([blocklist("games", entries=0, checked=None)], "pass", False),
    ],
)
def test_why_i4_is_red_and_what_to_do(
    administrator: FlaskClient, control: FakeControl, lists: list[object], verdict: str, said: bool
) -> None:
    state = evidence()
    state["indicators"][2]["verdict"] = verdict
    control.answers |= {"lists.status": {"items": lists, "version": "v"}, "evidence.status": state}
    assert (SHIPPED in page(administrator)) is said


def test_the_self_test_runs_only_when_asked_and_shows_its_table(
    administrator: FlaskClient, control: FakeControl
) -> None:
    page(administrator)
    assert not control.asked("evidence.selftest")
    answer = administrator.post("/evidence/selftest", headers=ORIGIN)
    assert answer.status_code == 200
    assert len(control.asked("evidence.selftest")) == 1
    for cell in ("12/12", "3/4", "Tự nâng cấp", "không có đường để thử"):
        assert cell in answer.text, cell
    assert "<img src=x" not in answer.text


@pytest.mark.parametrize(("form", "body"), [("pdf", b"ABC"), ("html", b"ABC"), ("xlsx", b"ABC")])
def test_the_report_is_a_file(
    administrator: FlaskClient, control: FakeControl, form: str, body: bytes
) -> None:
    wanted = {"period": "2026-10", "format": form, "lang": "en"}
    answer = administrator.post("/evidence/report", data=wanted, headers=ORIGIN)
    assert (answer.status_code, answer.data) == (200, body)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="filterd-x.{form}"'
    assert control.asked("evidence.report") == [wanted]


def test_the_report_as_json_is_the_record(administrator: FlaskClient) -> None:
    wanted = {"period": "2026-10", "format": "json", "lang": "vi"}
    answer = administrator.post("/evidence/report", data=wanted, headers=ORIGIN)
    assert json.loads(answer.data) == {"school_id": "Trường"}
    bad = administrator.post("/evidence/report", data={**wanted, "format": "exe"}, headers=ORIGIN)
    assert bad.status_code == 400


def test_handing_in_is_noted_by_those_who_may(console: Flask, control: FakeControl) -> None:
    console.config["WTF_CSRF_ENABLED"] = False
    form = {"obligation": "year", "year": "2026", "day": "2026-11-23"}
    for role, status, asked in (("inspector", 403, 0), ("administrator", 303, 1)):
        client = console.test_client()
        client.set_cookie("filterd_school", f"role-{role}")
        assert ("Ghi là đã nộp" in page(client)) is (asked == 1)
        answer = client.post("/evidence/hand-in", data=form, headers=ORIGIN)
        assert answer.status_code == status
        assert len(control.asked("evidence.hand_in")) == asked
    answer = client.post("/evidence/hand-in", data={**form, "day": "hôm qua"}, headers=ORIGIN)
    assert answer.status_code == 400


def test_without_its_token_no_self_test_runs(console: Flask, control: FakeControl) -> None:
    client = console.test_client()
    client.set_cookie("filterd_school", "role-administrator")
    assert client.post("/evidence/selftest", headers=ORIGIN).status_code == 400
    assert not control.asked("evidence.selftest")


def test_every_fate_of_a_summary_has_its_words(administrator: FlaskClient) -> None:
    text = page(administrator)
    for words in ("giữ tại trường", "đã gửi", "Sở từ chối", "1 bản đang chờ"):
        assert words in text, words


def test_the_overview_has_one_line_and_asks_once_a_minute(
    administrator: FlaskClient, control: FakeControl
) -> None:
    for _ in range(3):
        assert "CHƯA ĐẠT" in administrator.get("/").text
    assert len(control.asked("evidence.status")) == 1


def test_the_overview_stands_without_evidence(
    administrator: FlaskClient, control: FakeControl
) -> None:
    control.answers["evidence.status"] = Refused("unavailable")
    assert administrator.get("/").status_code == 200


def test_periods_go_back_a_year_over_new_year(console: Flask) -> None:
    with console.test_request_context():
        found = [key for key, _title in periods("2027-02", "2026-2027/2")]
    assert found[:3] == ["2027-02", "2027-01", "2026-12"]
    assert found[11:] == ["2026-03", "2026-2027/2", "2027"]


def test_the_shortest_gap_is_never_none(console: Flask) -> None:
    with console.test_request_context():
        assert [minutes(n) for n in (0, 1, 6, 61, 90)] == ["0", "0,1", "0,1", "1,1", "1,5"]


def test_reasons_and_tests_have_words_in_both_languages() -> None:
    assert load("v0").status == "proposed"
    for key in table():
        text = both(key)
        assert text.vi, key
        assert text.en, key
    assert (both("reason_others_stale").vi, LANGUAGES) != (both("reason_others_stale").en, ())
