"""Every route of every site, asked by everybody: a route that nobody thought of fails here.

The tables are written by hand, apart from the ones the sites use: a route or a right that is added
or widened there needs a line here too.
"""

from __future__ import annotations

import pytest
from flask import Flask

from admin_ui.portal import create_app as create_portal
from admin_ui.school.access import ACCESS
from filterd.control.permissions import Role
from tests.unit.admin_ui.fake_control import FakeControl
from tests.unit.admin_ui.test_console_pages import as_role
from tests.unit.admin_ui.test_console_security import HERE, changes

NOBODY: frozenset[Role] = frozenset()
EVERYBODY = frozenset(Role)
STAFF = frozenset({Role.ADMINISTRATOR, Role.APPROVER})
AUDITORS = STAFF | {Role.INSPECTOR}
TIMED = STAFF | {Role.TEACHER}
SECOND = frozenset({Role.APPROVER})
WRITES = {
    EVERYBODY: "account.revoke tokens.add tokens.revoke evidence.selftest evidence.report "
               "sign_in.leave sign_in.code sign_in.password sign_in.enrol sign_in.start "
               "shared.preferences",
    TIMED: "overrides.add overrides.cancel overrides.exam overrides.cancel_exam",
    SECOND: "approvals.decide",
    STAFF: "overview.pause overview.resume tiers.save preview.apply preview.assertion preview.drop "
           "schedule.add schedule.remove schedule.calendar names.exception tickets.decide "
           "tickets.handoff contacts.save history.undo evidence.hand_in people.add people.change "
           "people.reset people.remove people.revoke lists.update lists.approve lists.refuse "
           "lists.rollback lists.add lists.remove lists.enable local_lists.save local_lists.order "
           "networks.segment networks.drop_segment networks.device networks.drop_device "
           "networks.load backup.make backup.inspect backup.restore tail.start tail.stop "
           "setup.school setup.networks setup.done",
}  # fmt: skip
"""Who may send which form of the console."""
ALLOWED = {endpoint: roles for roles, names in WRITES.items() for endpoint in names.split()}


def posts(app: Flask) -> dict[str, str]:
    """Endpoint → path of everything that takes a form."""
    with app.test_request_context():
        return {
            rule.endpoint: app.url_for(rule.endpoint, **{
                key: 3 if key in {"number", "revision"} else "x" for key in rule.arguments
            })
            for rule in app.url_map.iter_rules()
            if "POST" in (rule.methods or ()) and not rule.endpoint.startswith("api.")
        }  # fmt: skip


def test_every_form_of_the_console_has_its_line(console: Flask) -> None:
    assert set(posts(console)) == set(ALLOWED)


@pytest.mark.parametrize("role", [*Role, None], ids=str)
def test_who_may_not_send_a_form_changes_nothing(
    console: Flask, control: FakeControl, role: Role | None
) -> None:
    console.config["WTF_CSRF_ENABLED"] = False
    for endpoint, path in posts(console).items():
        # a client for each: some forms sign out
        client = console.test_client() if role is None else as_role(console, role)
        answer = client.post(path, headers=HERE)
        public = ACCESS.get(endpoint, "public") == "public"
        if role is None and not public:
            assert (answer.status_code, answer.location.split("?")[0]) == (303, "/sign-in/"), path
        elif role is not None and role not in ALLOWED[endpoint]:
            assert answer.status_code == 403, (role, path)
        elif not public:
            assert answer.status_code != 403, (role, path)
        if role is None:
            assert not [each for each in changes(control) if each != "sessions.start"], path


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods_do_nothing(console: Flask, control: FakeControl, method: str) -> None:
    client = as_role(console, "approver")
    with console.test_request_context():
        paths = {console.url_for(rule.endpoint, **dict.fromkeys(rule.arguments, 3))
                 for rule in console.url_map.iter_rules()
                 if not rule.endpoint.startswith("shared.")}  # fmt: skip
    for path in paths:
        answer = client.open(path, method=method, headers=HERE)
        assert answer.status_code in {200, 400, 401, 403, 404, 405}, (method, path)
        assert answer.status_code != 200 or method == "OPTIONS", (method, path)
    assert not changes(control)


def test_the_portal_serves_these_and_nothing_else(control: FakeControl) -> None:
    app = create_portal(control)
    found = {(rule.rule, *sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
             for rule in app.url_map.iter_rules()}  # fmt: skip
    assert found == {
        ("/", "GET"), ("/vi-sao", "GET"), ("/kiem-tra", "GET"), ("/yeu-cau", "GET"),
        ("/yeu-cau", "POST"), ("/tro-giup", "GET"), ("/thong-bao", "GET"),
        ("/preferences", "POST"), ("/shared/<path:filename>", "GET"),
        ("/<path:anything>", "GET", "POST"),
    }  # fmt: skip
