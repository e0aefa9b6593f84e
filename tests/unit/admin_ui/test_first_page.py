"""Nobody waits for templates: what is opened first was compiled before the port was opened."""

from __future__ import annotations

from typing import Any

import pytest

from admin_ui import portal, school
from admin_ui.shared import web


def refuse(*_arguments: Any, **_more: Any) -> Any:
    raise AssertionError("a template was compiled while somebody waited")


def test_the_overview_and_the_sign_in_page_are_ready(
    console: Any, administrator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.warm(console, school.FIRST)
    monkeypatch.setattr(console.jinja_env, "compile", refuse)
    assert administrator.get("/").status_code == 200
    assert console.test_client().get("/sign-in/").status_code == 200
    with pytest.raises(AssertionError, match="was compiled"):
        administrator.get("/backup/")


def test_the_portal_is_ready(control: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    app = portal.create_app(control)
    web.warm(app, portal.FIRST)
    monkeypatch.setattr(app.jinja_env, "compile", refuse)
    app.testing = True
    assert app.test_client().get("/").status_code == 200
