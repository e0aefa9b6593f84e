"""The portal: why, request, notice; it asks as @portal only and never for a person."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from admin_ui.portal import create_app
from tests.unit.admin_ui.fake_control import HOSTILE, FakeControl, Refused

PATHS = (
    "/",
    "/vi-sao?ten=roblox.com",
    "/vi-sao",
    "/kiem-tra",
    "/kiem-tra?ma=thanh-tra-2026",
    "/yeu-cau",
    "/tro-giup",
    "/thong-bao",
)


@pytest.fixture
def portal(control: FakeControl) -> FlaskClient:
    app = create_app(control)
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    return app.test_client()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_pages_open_without_signing_in(
    portal: FlaskClient, control: FakeControl, path: str, language: str
) -> None:
    portal.set_cookie("filterd_language", language)
    answer = portal.get(path)
    assert answer.status_code == 200, answer.text[:500]
    assert {who for _method, who, _fields in control.calls} <= {"@portal"}


def test_blocked_name_shows_the_block_page_on_any_path(portal: FlaskClient) -> None:
    answer = portal.get("/some/game?x=1", base_url="http://roblox.com")
    assert answer.status_code == 403
    assert "111" in answer.text


def test_no_form_asks_for_a_person(portal: FlaskClient) -> None:
    names = set(re.findall(r'name="([^"]+)"', portal.get("/yeu-cau").text))
    assert names == {
        "viewport", "color-scheme", "csrf_token", "back", "loai", "ten", "ghi_chu", "language",
        "theme",
    }  # fmt: skip


def test_request_is_handed_on_and_numbered(portal: FlaskClient, control: FakeControl) -> None:
    answer = portal.post(
        "/yeu-cau",
        data={"loai": "unblock", "ten": "scratch.mit.edu", "ghi_chu": "Bài tập"},
        headers={"Origin": "http://localhost"},
    )
    assert "12" in answer.text
    assert control.asked("tickets.submit") == [
        {"type": "unblock", "name": "scratch.mit.edu", "note": "Bài tập", "address": "127.0.0.1"}
    ]


def test_foreign_page_cannot_send_for_a_pupil(portal: FlaskClient, control: FakeControl) -> None:
    form = {"loai": "unblock", "ten": "x.example"}
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        assert portal.post("/yeu-cau", data=form, headers=headers).status_code == 403
    assert not control.asked("tickets.submit")


def test_too_many_requests_are_said_kindly(portal: FlaskClient, control: FakeControl) -> None:
    control.answers["tickets.submit"] = Refused("too_soon", "Thử lại sau", "Try later")
    form = {"loai": "unblock", "ten": "x.example"}
    answer = portal.post("/yeu-cau", data=form, headers={"Origin": "http://localhost"})
    assert answer.status_code == 429
    assert "Thử lại sau" in answer.text


def test_hostile_names_are_harmless(portal: FlaskClient, control: FakeControl) -> None:
    answer = portal.get("/vi-sao", query_string={"ten": HOSTILE})
    assert answer.status_code == 200
    assert "<img src=x" not in answer.text


def test_small_children_get_a_picture_and_simple_words(
    portal: FlaskClient, control: FakeControl
) -> None:
    young = portal.get("/", base_url="http://roblox.com").text
    control.answers["portal.device"]["tier"] = "upper_secondary"
    older = portal.get("/", base_url="http://roblox.com").text
    assert 'class="picture"' in young
    assert 'class="picture"' not in older


def test_an_inspector_s_code_is_handed_on_and_the_signed_result_shown(
    portal: FlaskClient, control: FakeControl
) -> None:
    page = portal.get("/kiem-tra?ma=thanh-tra-2026").text
    _method, who, fields = next(c for c in control.calls if c[0] == "evidence.challenge")
    assert (who, fields["nonce"]) == ("@portal", "thanh-tra-2026")
    assert "1 trên 2 đạt" in page
    assert "csam.canary.filterd.test" in page
