"""What the console refuses, what it sends along, and what it never believes."""

from __future__ import annotations

import re
import threading

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.unit.admin_ui.fake_control import FakeControl, Refused
from tests.unit.admin_ui.test_console_pages import as_role

HERE = {"Origin": "http://localhost"}
SIGN_IN = {"account": "administrator", "password": "right"}


def form_token(client: FlaskClient) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in/").text)
    assert found
    return found[1]


def writes(app: Flask) -> list[str]:
    """Paths that change something, the API apart (it takes no cookie)."""
    with app.test_request_context():
        return sorted(
            app.url_for(rule.endpoint, **{key: 3 if key in {"number", "revision"} else "x"
                                          for key in rule.arguments})
            for rule in app.url_map.iter_rules()
            if "POST" in rule.methods and not rule.endpoint.startswith("api.")
        )  # fmt: skip


def changes(control: FakeControl) -> list[str]:
    """Methods that were called and are not for looking."""
    looks = ("whoami", "get", "list", "status", "preview", "totp_begin", "state", "clients")
    return [name for name, _who, _fields in control.calls if not name.endswith(looks)]


def test_every_form_needs_its_token(console: Flask, control: FakeControl) -> None:
    client = as_role(console, "approver")
    for path in writes(console):
        assert client.post(path, headers=HERE).status_code == 400, path
    assert not changes(control)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "same-site"},
        {"Referer": "http://evil.example/localhost"},
        {},
    ],
    ids=str,
)
def test_no_other_site_can_send_a_form(
    administrator: FlaskClient, control: FakeControl, headers: dict[str, str]
) -> None:
    for path in writes(administrator.application):
        assert administrator.post(path, headers=headers).status_code == 403, path
    assert not changes(control)


def test_looking_changes_nothing(console: Flask, control: FakeControl) -> None:
    from tests.unit.admin_ui.test_console_pages import pages

    client = as_role(console, "approver")
    for _endpoint, path in pages(console):
        client.get(path)
    assert set(changes(control)) <= {
        "explain", "policy.history", "policy.revision", "audit.verify", "lists.overlap",
        "lists.local_get", "status.traffic", "describe", "evidence.summaries",
        "evidence.calendar", "evidence.exposure",
    }  # fmt: skip


@pytest.mark.parametrize(
    "path",
    ["//tiers/", "/%2e%2e/tiers/", "/tiers;x/", "/tiers/..;/", "/TIERS/", "/tiers//", "/.git"],
)
def test_odd_paths_open_nothing(console: Flask, path: str) -> None:
    assert console.test_client().get(path).status_code in {303, 404}
    assert as_role(console, "administrator").get(path).status_code in {303, 308, 404}


def test_an_upgrade_changes_nothing(console: Flask) -> None:
    headers = {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMA"}
    answer = console.test_client().get("/people/", headers=headers)
    assert (answer.status_code, answer.location.split("?")[0]) == (303, "/sign-in/")


def test_pages_carry_the_policy_without_inline_script(console: Flask) -> None:
    client = as_role(console, "administrator")
    answer = client.get("/tiers/")
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script>|<style| style=| on[a-z]+=", answer.text)
    picture = client.get("/charts/day/queries.svg")
    assert "script-src" not in picture.headers["Content-Security-Policy"]
    assert picture.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_session_cookie_is_new_at_sign_in_and_closed_to_scripts(console: Flask) -> None:
    client = console.test_client()
    client.set_cookie("filterd_school", "chosen-by-an-attacker")
    data = {**SIGN_IN, "csrf_token": form_token(client)}
    answer = client.post("/sign-in/", data=data, headers=HERE)
    cookie = next(
        c for c in answer.headers.getlist("Set-Cookie") if c.startswith("filterd_school=")
    )
    assert "attacker" not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert client.get("/").status_code == 200


def test_cookie_is_secure_behind_tls(console: Flask) -> None:
    console.config["WTF_CSRF_ENABLED"] = False
    client = console.test_client()
    answer = client.post(
        "/sign-in/", data=SIGN_IN, headers={"Origin": "https://localhost"},
        base_url="https://localhost",
    )  # fmt: skip
    assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "goal", ["http://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_signing_in_leads_to_no_other_site(console: Flask, goal: str) -> None:
    console.config["WTF_CSRF_ENABLED"] = False
    client = console.test_client()
    answer = client.post("/sign-in/", data={**SIGN_IN, "goal": goal}, headers=HERE)
    assert answer.location == "/"
    for name in ("back", "goal"):
        page = client.post("/preferences", data={name: goal}, headers=HERE)
        assert page.location == "/"


def test_waiting_time_is_said_and_nothing_else_is_learnt(
    console: Flask, control: FakeControl
) -> None:
    console.config["WTF_CSRF_ENABLED"] = False
    client = console.test_client()
    texts = {
        client.post(
            "/sign-in/", data={**SIGN_IN, "account": name, "password": "x"}, headers=HERE
        ).get_data(as_text=True)
        for name in ("administrator", "nobody")
    }
    assert len(texts) == 1


def test_control_characters_are_refused(administrator: FlaskClient, control: FakeControl) -> None:
    for bad in ("a\x00b", "a\nb", "a\u2028b", "a\x1b[31mb"):
        data = {"name": bad, "allow": "yes", "minutes": "5", "reason": "x"}
        administrator.post("/now/override", data=data, headers=HERE)
    assert not control.asked("overrides.add")


def test_too_large_a_form_is_refused(administrator: FlaskClient) -> None:
    data = {"names": "x" * (3 << 20), "category": "games", "reason": "x"}
    assert administrator.post("/own-lists/", data=data, headers=HERE).status_code == 413
    many = "&".join(f"k{i}=1" for i in range(2))
    assert administrator.post(
        "/own-lists/", data=many, headers=HERE, content_type="application/x-www-form-urlencoded"
    ).status_code in {303, 400}


def test_two_visitors_at_once_stay_apart(console: Flask) -> None:
    found: dict[str, set[str]] = {"viewer": set(), "administrator": set()}

    def look(role: str) -> None:
        client = as_role(console, role)
        for _ in range(15):
            found[role].update(re.findall(r"Cô (\w+)", client.get("/account/").text))

    threads = [threading.Thread(target=look, args=(role,)) for role in found for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"viewer": {"viewer"}, "administrator": {"administrator"}}


def test_errors_show_no_trace(console: Flask, control: FakeControl) -> None:
    console.config["PROPAGATE_EXCEPTIONS"] = False
    console.config["TESTING"] = False
    control.answers["tickets.list"] = {"unexpected": True}
    answer = as_role(console, "viewer").get("/tickets/")
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert "filterd doctor" in answer.text
    control.answers["tickets.list"] = Refused("denied", "Không có quyền", "No right")
    assert as_role(console, "viewer").get("/tickets/").status_code == 403
