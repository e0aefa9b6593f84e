"""A control server for page tests: answers every method of docs/control.md from plain values.

A token "role-teacher" is a signed-in teacher; `answers` may be replaced per test; `calls` is what
the pages asked for. It grants permissions as the supervisor does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from filterd.control.permissions import GRANTS, Role
from filterd.errors import ControlError
from tests.unit.admin_ui.fake_answers import (
    HOSTILE,
    account,
    answers,
    policy_files,
    taxonomy_files,
)
from tests.unit.admin_ui.fake_evidence import evidence_answers

__all__ = ["HOSTILE", "FakeControl", "Refused", "policy_files", "taxonomy_files"]


class Refused(ControlError):
    """A refusal with its body, as the client raises it."""

    def __init__(self, code: str, vi: str = "Không được", en: str = "No", **more: Any) -> None:
        super().__init__(code, en)
        self.vi = vi
        self.body = {"code": code, "message": {"vi": vi, "en": en}, **more}


class FakeControl:
    """The caller that the pages are given."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {**answers(), **evidence_answers()}
        self.calls: list[tuple[str, str | None, dict[str, Any]]] = []
        self.needs: str | None = None

    def __call__(self, method: str, who: str | None, fields: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((method, who, fields))
        if method == "sessions.start":
            return self._start(fields)
        role = (who or "").removeprefix("role-")
        if (who or "").startswith("role-") and role in set(Role):
            return self._signed_in(method, Role(role), fields)
        portal = method.split(".")[0] in {"portal", "contacts", "tickets"}
        if who == "@portal" and (portal or method == "evidence.challenge"):
            return self._answer(method, fields)
        raise Refused("signed_out", "Phiên đã hết", "Signed out")

    def _start(self, fields: dict[str, Any]) -> dict[str, Any]:
        if fields["password"] != "right":
            raise Refused("denied", "Sai tên hoặc mật khẩu", "Wrong name or password")
        return {"token": f"role-{fields['account']}", "needs": self.needs}

    def _signed_in(self, method: str, role: Role, fields: dict[str, Any]) -> dict[str, Any]:
        if method == "sessions.whoami":
            return {"account": account(role), "needs": self.needs, "until": None,
                    "permissions": sorted(GRANTS[role])}  # fmt: skip
        if method in {"sessions.totp", "people.password", "people.totp_confirm"}:
            self.needs = None
            return {"token": f"role-{role}", "needs": None, "recovery_codes": ["aaaa", "bbbb"]}
        return self._answer(method, fields)

    def _answer(self, method: str, fields: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any]] | Exception
        found = self.answers.get(method, {})
        if isinstance(found, Exception):
            raise found
        return found(fields) if callable(found) else found

    def asked(self, method: str) -> list[dict[str, Any]]:
        return [fields for name, _who, fields in self.calls if name == method]
