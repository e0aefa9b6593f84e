"""The console and the portal over a fake control server."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from admin_ui.school import create_app
from tests.unit.admin_ui.fake_control import FakeControl

ORIGIN = {"Origin": "http://localhost"}


@pytest.fixture
def control() -> FakeControl:
    return FakeControl()


@pytest.fixture
def console(control: FakeControl) -> Flask:
    app = create_app(control)
    app.config["TESTING"] = True
    return app


@pytest.fixture
def administrator(console: Flask) -> FlaskClient:
    console.config["WTF_CSRF_ENABLED"] = False
    client = console.test_client()
    client.set_cookie("filterd_school", "role-administrator")
    return client
