"""People of a school for tests over the control socket: an account, signed in, with its token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyotp

from filterd.control.client import CallError, ControlClient

PASSWORD = "Mot cau that dai de nho 2026"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in; `call` asks in this person's name."""

    control: ControlClient
    token: str

    def call(self, method: str, **fields: Any) -> dict[str, Any]:
        """A method, refused as this person would be."""
        return self.control.call(method, self.token, **fields)

    def refused(self, method: str, **fields: Any) -> dict[str, Any]:
        """The refusal that a method must give."""
        try:
            answer = self.call(method, **fields)
        except CallError as error:
            return error.body
        raise AssertionError(f"{method} was not refused: {answer}")

    def waits(self, method: str, **fields: Any) -> str:
        """The id of the wish that a method must file for a second person."""
        body = self.refused(method, **fields)
        assert body["code"] == "needs_approval", body
        return str(body["approval"])

    def agree(self, wish: str) -> Any:
        """Approve a wish; what carrying it out gave."""
        return self.call("approvals.decide", id=wish, approve=True, reason="đồng ý")["result"]


def sign_in(control: ControlClient, name: str, role: str, **more: Any) -> Person:
    """A new account, through its first sign-in with its own password and, where due, a code."""
    made = control.call("people.add", name=name, title=name, role=role, **more)
    first = control.call("sessions.start", "@guest", account=name, password=made["password"])
    token = control.call(
        "people.password", first["token"], old=made["password"], new=PASSWORD
    )["token"]  # fmt: skip
    if control.call("sessions.whoami", token)["needs"] == "enrol":
        secret = control.call("people.totp_begin", token)["secret"]
        code = pyotp.TOTP(secret).now()
        token = control.call("people.totp_confirm", token, code=code)["token"]
    return Person(control, token)
