"""The key of the forms outlives a restart, is private, and is the same for several processes."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from admin_ui.portal import create_app as portal
from admin_ui.school import create_app as console
from admin_ui.shared.form_key import form_key
from tests.unit.admin_ui.fake_control import FakeControl


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    environment = {"STATE_DIRECTORY": str(tmp_path)}
    first = form_key(environment)
    assert len(first) == 64 and form_key(environment) == first
    [file] = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert form_key({"FILTERD_FORM_KEY_FILE": str(file)}) == first
    assert form_key({**environment, "FILTERD_FORM_KEY": "given"}) == "given"


def test_without_a_place_it_is_one_for_this_process(tmp_path: Path) -> None:
    assert form_key({}) != form_key({})
    missing = {"FILTERD_FORM_KEY_FILE": str(tmp_path / "no" / "form.key")}
    assert form_key(missing) != form_key(missing)


def test_a_form_survives_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILTERD_FORM_KEY_FILE", str(tmp_path / "form.key"))
    control = FakeControl()

    def visit(again: str | None = None) -> int | str:
        app = console(control)
        client = app.test_client()
        if again is None:
            page = client.get("/sign-in/")
            found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
            cookie = client.get_cookie("filterd_school_form")
            assert found and cookie
            return f"{found[1]} {cookie.value}"
        token, cookie_value = again.split(" ")
        client.set_cookie("filterd_school_form", cookie_value)
        data = {"csrf_token": token, "account": "admin", "password": "right"}
        headers = {"Sec-Fetch-Site": "same-origin"}
        return client.post("/sign-in/", data=data, headers=headers).status_code

    assert visit(str(visit())) == 303
    old = str(visit())
    (tmp_path / "form.key").write_text("another")
    assert visit(old) == 400, "another key refuses it"


def test_apps_on_one_host_do_not_take_each_others_cookies() -> None:
    apps = [console(FakeControl()), portal(FakeControl())]
    names = [app.config[key] for app in apps for key in ("SESSION_COOKIE_NAME", "STAFF_COOKIE")]
    assert len(set(names)) == 4, names
