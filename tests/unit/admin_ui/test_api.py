"""The HTTP API: tokens only, the methods as described, refusals in one form."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from admin_ui.school.openapi import served
from tests.unit.admin_ui.fake_control import FakeControl, Refused

TOKEN = {"Authorization": "Bearer role-administrator"}


def test_description_lists_what_is_served_and_nothing_else(console: Flask) -> None:
    found = console.test_client().get("/api/v1/openapi.json", headers=TOKEN).get_json()
    assert set(found["paths"]) == {"/status/get", "/tickets/get", "/pause/start"}
    body = found["paths"]["/pause/start"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"]["required"] == ["minutes"]


def test_reading_takes_typed_query_fields(console: Flask, control: FakeControl) -> None:
    answer = console.test_client().get("/api/v1/tickets/get?id=7", headers=TOKEN)
    assert answer.status_code == 200
    assert control.asked("tickets.get") == [{"id": 7}]


def test_writing_takes_json(console: Flask, control: FakeControl) -> None:
    client = console.test_client()
    answer = client.post("/api/v1/pause/start", json={"minutes": 5}, headers=TOKEN)
    assert answer.status_code == 200
    assert control.asked("pause.start") == [{"minutes": 5}]
    assert client.get("/api/v1/pause/start", headers=TOKEN).status_code == 405
    form = client.post("/api/v1/pause/start", data={"minutes": 5}, headers=TOKEN)
    assert form.status_code == 400


def test_a_browser_s_cookie_is_no_token(administrator: FlaskClient, control: FakeControl) -> None:
    answer = administrator.post("/api/v1/pause/start", json={"minutes": 5})
    assert answer.status_code == 401
    assert not control.asked("pause.start")


def test_refusals_keep_their_code(console: Flask, control: FakeControl) -> None:
    client = console.test_client()
    for code, status in (("denied", 403), ("conflict", 409), ("unavailable", 503)):
        control.answers["pause.start"] = Refused(code)
        answer = client.post("/api/v1/pause/start", json={"minutes": 5}, headers=TOKEN)
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (status, code)
    control.answers["pause.start"] = Refused("needs_approval", approval="a7")
    answer = client.post("/api/v1/pause/start", json={"minutes": 5}, headers=TOKEN)
    assert (answer.status_code, answer.get_json()["approval"]) == (202, "a7")


def test_unknown_token_and_method(console: Flask) -> None:
    client = console.test_client()
    unknown = client.get("/api/v1/status/get", headers={"Authorization": "Bearer nobody"})
    assert unknown.status_code == 401
    assert client.get("/api/v1/sessions/start", headers=TOKEN).status_code == 404


ASKED = re.compile(r'ask(?:_all)?\(\s*"([a-z_.]+)"')
FOR_BROWSERS = {"sessions.start", "sessions.totp", "sessions.end", "people.password",
                "people.totp_begin", "people.totp_confirm", "tokens.add", "describe"}  # fmt: skip
"""Signing in and making tokens: what a token must not be able to do."""


def test_whatever_the_console_does_the_api_does() -> None:
    views = Path(__file__).parents[3] / "admin_ui" / "school"
    asked = {
        method for path in views.rglob("*.py") for method in ASKED.findall(path.read_text("utf-8"))
    }
    assert len(asked) > 60
    assert {method for method in asked if served(method) is None} <= FOR_BROWSERS


def test_refusals_are_described_as_they_are(console: Flask) -> None:
    found = console.test_client().get("/api/v1/openapi.json", headers=TOKEN).get_json()
    error = found["components"]["schemas"]["Error"]
    assert error["required"] == ["error"]
    assert set(error["properties"]["error"]["required"]) == {"code", "message"}
