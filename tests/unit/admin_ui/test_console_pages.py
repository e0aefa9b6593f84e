"""Every page renders for who may open it, with hostile values harmless, and for no one else."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from admin_ui.school.access import ACCESS, API
from admin_ui.shared.security import PUBLIC
from filterd.control.permissions import GRANTS, Role
from tests.unit.admin_ui.fake_control import FakeControl, Refused

VALUES = {"number": 3, "revision": 3, "period": "day", "kind": "queries", "key": "games"}


def pages(app: Flask) -> list[tuple[str, str]]:
    """(endpoint, path) of everything that can be opened with GET."""
    with app.test_request_context():
        found = []
        for rule in app.url_map.iter_rules():
            if "GET" in rule.methods and rule.endpoint != "shared.static":
                values = {name: VALUES.get(name, "x") for name in rule.arguments}
                found.append((rule.endpoint, app.url_for(rule.endpoint, **values)))
        return found


def as_role(app: Flask, role: str) -> FlaskClient:
    client = app.test_client()
    client.set_cookie("filterd_school", f"role-{role}")
    return client


@pytest.mark.parametrize("role", list(Role))
def test_each_role_opens_its_pages_and_no_other(console: Flask, role: Role) -> None:
    client = as_role(console, role)
    for endpoint, path in pages(console):
        answer = client.get(path)
        if ACCESS[endpoint] == API:
            assert answer.status_code == 401, path
        elif ACCESS[endpoint] == PUBLIC:
            assert answer.status_code in {200, 303}, path
        elif ACCESS[endpoint] in GRANTS[role]:
            assert answer.status_code == 200, (path, answer.text[:2000])
        else:
            assert answer.status_code == 403, path
        assert answer.mimetype != "text/html" or "<img src=x" not in answer.text, path


@pytest.mark.parametrize("language", ["vi", "en"])
def test_pages_say_their_language(console: Flask, language: str) -> None:
    client = as_role(console, "administrator")
    client.set_cookie("filterd_language", language)
    assert f'<html lang="{language}"' in client.get("/").text


def test_nobody_signed_in_is_sent_to_sign_in(console: Flask) -> None:
    client = console.test_client()
    for endpoint, path in pages(console):
        answer = client.get(path)
        if ACCESS[endpoint] not in {PUBLIC, API}:
            assert (answer.status_code, answer.location.split("?")[0]) == (303, "/sign-in/"), path


def test_every_endpoint_stands_in_the_table(console: Flask) -> None:
    known = set(ACCESS) | {"shared.static", "shared.preferences"}
    assert set(console.view_functions) <= known


def test_unfinished_sign_in_opens_nothing_else(console: Flask, control: FakeControl) -> None:
    control.needs = "totp"
    client = as_role(console, "administrator")
    assert client.get("/tickets/").location == "/sign-in/code"
    assert client.post("/people/add", headers={"Origin": "http://localhost"}).status_code in {
        303,
        400,
    }
    assert not control.asked("people.add")


def test_down_daemon_is_said_clearly(console: Flask, control: FakeControl) -> None:
    control.answers["status.get"] = Refused("unavailable", "Bộ lọc không trả lời", "silent")
    answer = as_role(console, "viewer").get("/")
    assert answer.status_code == 503
    assert "filterd doctor" in answer.text
