"""Every route of the office, asked by everybody: who is not named for it here gets nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pyotp
import pytest
from flask.testing import FlaskClient

from admin_ui.office.database import Office
from filterd.control.permissions import Role
from tests.lab.office_site import Site, signed_in

HERE = {"Origin": "http://localhost"}
EVERYBODY = frozenset(Role) - {Role.TEACHER}  # an office has no classes
STAFF = frozenset({Role.ADMINISTRATOR, Role.APPROVER})
ROUTES = {
    EVERYBODY: "overview.page overview.chart communes.page schools.page schools.export school.one "
               "school.summary compare.page refusals.page awareness.page report.page report.pdf "
               "publish.page publish.method_file account.page account.revoke",
    STAFF | {Role.INSPECTOR}: "audit.page audit.export",
    STAFF: "school.code school.revoke school.annotate awareness.add awareness.remove "
                 "report.hand_in register.page register.load register.merge publish.add "
                 "publish.remove publish.release publish.laboratory publish.floor "
                 "publish.catalogue publish.method people.page people.add "
                 "people.change people.reset people.remove people.revoke",
}  # fmt: skip
_OPEN = """
sign_in.form sign_in.start sign_in.code sign_in.password sign_in.enrol sign_in.leave public.page
api.enrol api.rotate api.proof api.bundle api.roots api.metrics api.health
shared.static shared.preferences
"""
OPEN = frozenset(_OPEN.split())
"""Signing in, the public page, and what boxes call with signatures of their own."""
NOBODYS = 987_654
"""In the place of every number and name in a path: whoever may do harm to it does none."""
ALLOWED = {endpoint: roles for roles, names in ROUTES.items() for endpoint in names.split()}


@pytest.fixture
def site(office: Office) -> Iterator[Site]:
    opened = signed_in(office)
    opened.app.config["WTF_CSRF_ENABLED"] = False
    yield opened
    opened.accounts.close()


def routes(site: Site) -> list[tuple[str, str, str]]:
    """(endpoint, method, path) of everything that is not open."""
    with site.app.test_request_context():
        return [
            (rule.endpoint, method, site.app.url_for(rule.endpoint, **dict.fromkeys(
                rule.arguments, NOBODYS)))
            for rule in site.app.url_map.iter_rules() if rule.endpoint not in OPEN
            for method in sorted((rule.methods or set()) & {"GET", "POST"})
        ]  # fmt: skip


def session_of(site: Site, role: Role) -> FlaskClient:
    """A client signed in with an account of that role."""
    token = site.client.get_cookie("filterd_session")
    assert token is not None
    made = {"name": f"ai.{role}", "title": "Ai đó", "role": str(role)}
    fresh = site.accounts.call("people.add", token.value, made)
    begun = site.accounts.call(
        "sessions.start", "@guest", {"account": f"ai.{role}", "password": fresh["password"]}
    )
    new = {"old": fresh["password"], "new": "một mật khẩu khác hẳn"}
    client = site.app.test_client()
    session = site.accounts.call("people.password", begun["token"], new)["token"]
    if role in STAFF:
        session = with_second_factor(site, client, session)
    client.set_cookie("filterd_session", session)
    return client


def with_second_factor(site: Site, client: FlaskClient, session: str) -> str:
    """The session once it has one; before, it opens nothing."""
    client.set_cookie("filterd_session", session)
    for endpoint, method, path in routes(site):
        if not endpoint.startswith("account."):
            answer = client.open(path, method=method, headers=HERE)
            assert answer.status_code in (303, 403), (path, answer.status_code)
    secret = site.accounts.call("people.totp_begin", session, {})["secret"]
    office: Office = site.app.extensions["office"]
    code = pyotp.TOTP(secret).at(office.clock())
    return str(site.accounts.call("people.totp_confirm", session, {"code": code})["token"])


def test_every_route_has_its_line(site: Site) -> None:
    assert set(site.app.view_functions) == set(ALLOWED) | OPEN


def test_nobody_signed_in_opens_nothing(site: Site) -> None:
    client = site.app.test_client()
    for _endpoint, method, path in routes(site):
        answer = client.open(path, method=method, headers=HERE)
        assert (answer.status_code, answer.location.split("?")[0]) == (303, "/sign-in/"), path


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_each_role_opens_its_own_and_no_other(site: Site, role: Role) -> None:
    client = session_of(site, role)
    for endpoint, method, path in routes(site):
        if endpoint == "account.revoke":
            continue  # ends the session
        answer = client.open(path, method=method, headers=HERE)
        if role in ALLOWED[endpoint]:
            assert answer.status_code != 403, (role, path)
            assert answer.location is None or "/sign-in" not in answer.location, (role, path)
        else:
            assert answer.status_code == 403, (role, method, path)


def test_no_other_site_can_send_a_form(site: Site) -> None:
    for headers in ({}, {"Origin": "http://evil.example"},
                    {**HERE, "Sec-Fetch-Site": "cross-site"}):  # fmt: skip
        for _endpoint, method, path in routes(site):
            if method == "POST":
                answer = site.client.post(path, headers=headers)
                assert answer.status_code == 403, (headers, path)
