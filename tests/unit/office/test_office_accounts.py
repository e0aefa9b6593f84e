"""Signing in at the office: the console's own code on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pyotp
import pytest
from argon2 import PasswordHasher

from admin_ui.office.accounts import Accounts
from admin_ui.office.database import Office
from filterd.control.signin import Passwords
from filterd.errors import ControlError
from tests.lab.office_school import Clock


@pytest.fixture
def accounts(office: Office, clock: Clock) -> Iterator[Accounts]:
    clock.now = datetime.now(UTC)
    opened = Accounts(office, Passwords(PasswordHasher(1, 64, 1)))
    yield opened
    opened.close()


def test_the_first_administrator_needs_an_own_password_and_a_second_factor(
    accounts: Accounts, clock: Clock
) -> None:
    password = accounts.first_password
    assert password is not None
    with pytest.raises(ControlError, match="wrong"):
        accounts.call("sessions.start", "@guest", {"account": "admin", "password": "guess"})
    begun = accounts.call("sessions.start", "@guest", {"account": "ADMIN", "password": password})
    assert begun["needs"] == "password"
    with pytest.raises(ControlError) as caught:
        accounts.call("people.list", begun["token"], {})
    assert caught.value.code == "denied"
    new = {"old": password, "new": "một câu thật dài dễ nhớ"}
    token = accounts.call("people.password", begun["token"], new)["token"]
    assert accounts.call("sessions.whoami", token, {})["needs"] == "enrol"
    secret = accounts.call("people.totp_begin", token, {})["secret"]
    code = pyotp.TOTP(secret).at(clock.now)
    token = accounts.call("people.totp_confirm", token, {"code": code})["token"]
    assert accounts.call("sessions.whoami", token, {})["needs"] is None
    made = accounts.call(
        "people.add", token,
        {"name": "xa.rachgia", "title": "Phường Rạch Giá", "role": "viewer", "segments": ["X900"]},
    )  # fmt: skip
    viewer = accounts.call(
        "sessions.start", "@guest", {"account": "xa.rachgia", "password": made["password"]}
    )
    assert accounts.call("sessions.whoami", viewer["token"], {})["account"]["segments"] == ["X900"]
    accounts.audit(token, "schools.code", "VN-91-000001")
    told = accounts.call("audit.list", token, {"search": "vn-91"})["items"]
    assert [(e["actor"], e["action"]) for e in told] == [("admin", "schools.code")]
    assert accounts.call("audit.verify", token, {})["ok"]
    accounts.call("sessions.end", token, {})
    with pytest.raises(ControlError, match="Sign in"):
        accounts.call("sessions.whoami", token, {})


def test_an_unknown_method_and_a_stranger_are_refused(accounts: Accounts) -> None:
    with pytest.raises(ControlError, match="no such method"):
        accounts.call("policy.apply", "@guest", {})
    with pytest.raises(ControlError, match="Sign in"):
        accounts.call("people.list", "made-up", {})
