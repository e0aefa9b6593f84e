"""The office's site over a client that signs in as the first administrator would."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pyotp
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from admin_ui.office import create_app
from admin_ui.office.accounts import Accounts
from admin_ui.office.database import Office
from filterd.control.signin import Passwords

PASSWORD = "một câu thật dài dễ nhớ"


@dataclass
class Site:
    """`client` is signed in; `get` and `post` follow the forms' rules."""

    app: Flask
    client: FlaskClient
    accounts: Accounts

    def get(self, path: str, code: int = 200) -> str:
        answer = self.client.get(path, follow_redirects=False)
        assert answer.status_code == code, (path, answer.status_code, answer.text[:500])
        return answer.text

    def post(self, path: str, source: str = "/", **fields: Any) -> Any:
        """Send a form that stands on the page `source`."""
        page = self.client.get(source).text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found, page[:500]
        headers = {"Origin": "http://localhost"}
        return self.client.post(path, data={"csrf_token": found[1], **fields}, headers=headers)


def signed_in(office: Office) -> Site:
    """The site with the administrator's session in its client."""
    accounts = Accounts(office, Passwords(PasswordHasher(1, 64, 1)))  # cheap: tests sign in often
    app = create_app(office, accounts)
    app.config["TESTING"] = True
    client = app.test_client()
    token = administrator(accounts, office)
    client.set_cookie("filterd_session", token)
    return Site(app, client, accounts)


def administrator(accounts: Accounts, office: Office) -> str:
    """A session of the first administrator, with an own password and a second factor."""
    begun = accounts.call(
        "sessions.start", "@guest", {"account": "admin", "password": accounts.first_password}
    )
    old = {"old": accounts.first_password, "new": PASSWORD}
    token = accounts.call("people.password", begun["token"], old)["token"]
    secret = accounts.call("people.totp_begin", token, {})["secret"]
    code = pyotp.TOTP(secret).at(office.clock())
    return str(accounts.call("people.totp_confirm", token, {"code": code})["token"])
