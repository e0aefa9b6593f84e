"""Who may open what at the office: one line per endpoint, everything else is refused.

The words are those of `control/permissions.py`; an account with the role viewer and some communes
sees those communes only (`scope`).
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import abort, current_app, g

from admin_ui.office.accounts import Accounts
from admin_ui.office.database import Office
from admin_ui.office.queries import Scope
from admin_ui.shared.security import PUBLIC, granted

ACCESS: Mapping[str, str] = {
    "sign_in.form": PUBLIC,
    "sign_in.start": PUBLIC,
    "sign_in.code": "self",
    "sign_in.password": "self",
    "sign_in.enrol": "self",
    "sign_in.leave": "self",
    "public.page": PUBLIC,
    "api.enrol": PUBLIC,
    "api.rotate": PUBLIC,
    "api.proof": PUBLIC,
    "api.bundle": PUBLIC,
    "api.roots": PUBLIC,
    "api.metrics": PUBLIC,
    "api.health": PUBLIC,
    "overview.page": "view",
    "overview.chart": "view",
    "communes.page": "view",
    "schools.page": "view",
    "schools.export": "view",
    "school.one": "view",
    "school.summary": "view",
    "school.code": "edit",
    "school.revoke": "edit",
    "school.annotate": "edit",
    "compare.page": "view",
    "refusals.page": "view",
    "awareness.page": "view",
    "awareness.add": "edit",
    "awareness.remove": "edit",
    "report.page": "view",
    "report.pdf": "view",
    "report.hand_in": "edit",
    "register.page": "edit",
    "register.load": "edit",
    "register.merge": "edit",
    "publish.page": "view",
    "publish.add": "edit",
    "publish.remove": "edit",
    "publish.release": "edit",
    "publish.laboratory": "edit",
    "publish.floor": "edit",
    "publish.catalogue": "edit",
    "publish.method": "edit",
    "publish.method_file": "view",
    "people.page": "people",
    "people.add": "people",
    "people.change": "people",
    "people.reset": "people",
    "people.remove": "people",
    "people.revoke": "people",
    "account.page": "self",
    "account.revoke": "self",
    "audit.page": "audit",
    "audit.export": "audit",
}
"""Endpoint → the permission it needs."""


def office() -> Office:
    """The office of this app."""
    found: Office = current_app.extensions["office"]
    return found


def scope() -> Scope:
    """The communes that this account may see; None: all of them."""
    account = g.get("account") or {}
    communes = tuple(account.get("segments") or ())
    return communes if account.get("role") == "viewer" and communes else None


def whole_province() -> None:
    """Refuse an account that is limited to some communes."""
    if scope() is not None:
        abort(403)


def may(endpoint: str) -> bool:
    """Whether the signed-in account may open an endpoint (for menus and buttons)."""
    return granted(ACCESS, endpoint)


def written(action: str, target: str = "", reason: str = "") -> None:
    """Write down what this account did."""
    accounts: Accounts = current_app.extensions["accounts"]
    accounts.audit(g.token, action, target, reason)
