"""Who may open what in the console: one line per endpoint, everything else is refused.

The supervisor checks every call again by its own table; this one decides which pages are shown.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import abort, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response

from admin_ui.shared.control import ask
from admin_ui.shared.security import PUBLIC, granted
from filterd.errors import ControlError

DESCRIPTION = "view"
API = "api"
"""The entry of the API: no session, a token; the supervisor checks it for every method."""
UNFINISHED = frozenset({"sign_in.code", "sign_in.password", "sign_in.enrol", "sign_in.leave"})
"""What an account may open before its sign-in is complete."""

ACCESS: Mapping[str, str] = {
    "sign_in.form": PUBLIC,
    "sign_in.start": PUBLIC,
    "sign_in.code": "self",
    "sign_in.password": "self",
    "sign_in.enrol": "self",
    "sign_in.leave": "self",
    "overview.page": "view",
    "overview.chart": "view",
    "overview.pause": "edit",
    "overview.resume": "edit",
    "tiers.page": "view",
    "tiers.save": "edit",
    "preview.page": "edit",
    "preview.apply": "edit",
    "preview.assertion": "edit",
    "preview.drop": "edit",
    "schedule.page": "view",
    "schedule.add": "edit",
    "schedule.remove": "edit",
    "schedule.calendar": "edit",
    "overrides.page": "timed",
    "overrides.add": "timed",
    "overrides.cancel": "timed",
    "overrides.exam": "timed",
    "overrides.cancel_exam": "timed",
    "names.page": "view",
    "names.exception": "edit",
    "tickets.page": "view",
    "tickets.one": "decide",
    "tickets.decide": "decide",
    "tickets.handoff": "decide",
    "contacts.page": "edit",
    "contacts.save": "edit",
    "approvals.page": "edit",
    "approvals.decide": "approve",
    "history.page": "view",
    "history.one": "view",
    "history.undo": "edit",
    "evidence.page": "evidence",
    "evidence.selftest": "evidence",
    "evidence.report": "evidence",
    "evidence.hand_in": "edit",
    "audit.page": "audit",
    "audit.export": "audit",
    "people.page": "people",
    "people.add": "people",
    "people.change": "people",
    "people.reset": "people",
    "people.remove": "people",
    "people.revoke": "people",
    "account.page": "self",
    "account.revoke": "self",
    "lists.page": "view",
    "lists.one": "view",
    "lists.update": "edit",
    "lists.approve": "edit",
    "lists.refuse": "edit",
    "lists.rollback": "edit",
    "lists.add": "edit",
    "lists.remove": "edit",
    "lists.enable": "edit",
    "local_lists.page": "edit",
    "local_lists.save": "edit",
    "local_lists.order": "edit",
    "networks.page": "view",
    "networks.segment": "edit",
    "networks.drop_segment": "edit",
    "networks.device": "edit",
    "networks.drop_device": "edit",
    "networks.export": "view",
    "networks.load": "edit",
    "backup.page": "backup",
    "backup.make": "backup",
    "backup.inspect": "backup",
    "backup.restore": "backup",
    "tail.page": "debug",
    "tail.start": "debug",
    "tail.stop": "debug",
    "tokens.page": "view",
    "tokens.add": "view",
    "tokens.revoke": "view",
    "api.openapi": DESCRIPTION,
    "api.call": API,
    "setup.page": "edit",
    "setup.school": "edit",
    "setup.networks": "edit",
    "setup.done": "edit",
}
"""Endpoint → the permission it needs, in the supervisor's words (`control/permissions.py`)."""


def admit(needed: str) -> Response | None:
    """Find who is asking; where the page is not public: to sign-in, or refused, or None = go on."""
    if needed == API or (needed == DESCRIPTION and bearer()):
        g.token = bearer()
        return None
    g.token = request.cookies.get(current_app.config["STAFF_COOKIE"]) or None
    if g.token is None:
        return None if needed == PUBLIC else to_sign_in()
    try:
        known = ask("sessions.whoami")
    except ControlError as error:
        if error.code != "signed_out":
            raise
        g.token = None
        return None if needed == PUBLIC else to_sign_in()
    g.account, g.needs = known["account"], known.get("needs")
    g.permissions = frozenset(known.get("permissions", ()))
    if needed == PUBLIC:
        return None
    if g.needs and request.endpoint not in UNFINISHED:
        return redirect(url_for(step(g.needs)), 303)
    if needed not in g.permissions:
        abort(403)
    return None


def bearer() -> str | None:
    """The API token of the request; a cookie is never one, so no foreign page can use the API."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if kind.lower() == "bearer" else None


def step(needs: str | None) -> str:
    """The endpoint where an unfinished sign-in goes on."""
    steps = {"totp": "sign_in.code", "password": "sign_in.password", "enrol": "sign_in.enrol"}
    return steps.get(needs or "", "overview.page")


def to_sign_in() -> Response:
    """The sign-in page, which leads back to what was asked for."""
    goal = request.full_path.rstrip("?") if request.method == "GET" else "/"
    return redirect(url_for("sign_in.form", back=goal), 303)


def may(endpoint: str) -> bool:
    """Whether the signed-in account may open an endpoint (for menus and buttons)."""
    return granted(ACCESS, endpoint)
