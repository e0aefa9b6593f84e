"""Accounts of the office and of communes."""

from __future__ import annotations

from flask import Blueprint, flash, render_template, request
from markupsafe import Markup
from sqlalchemy import select
from werkzeug.wrappers import Response

from admin_ui.office import navigation
from admin_ui.office.access import office
from admin_ui.office.tables import units
from admin_ui.shared import fields
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back

bp = Blueprint("people", __name__, url_prefix="/people")
ROLES = ("viewer", "inspector", "administrator", "approver")


@bp.get("/")
def page() -> str:
    """Who may look or act here."""
    communes = office().rows(
        select(units.c.id, units.c.name).where(units.c.kind == "commune").order_by(units.c.name)
    )
    return render_template(
        "people/page.html", items=ask("people.list")["items"], communes=communes,
        sessions=ask("sessions.list")["items"], roles=navigation.roles(),
    )  # fmt: skip


def _communes() -> list[str]:
    return [each[:60] for each in request.form.getlist("communes")][:500]


def _password(text: str, password: str) -> None:
    flash(Markup("{} <code>{}</code>").format(text, password), "ok")


@bp.post("/add")
def add() -> Response:
    """A new account with a one-time password."""
    made = ask(
        "people.add", name=fields.text("name", 60), title=fields.text("title", 120),
        role=fields.choice("role", ROLES), segments=_communes(),
    )  # fmt: skip
    _password(_("The one-time password, shown once:"), made["password"])
    return back()


@bp.post("/change")
def change() -> Response:
    """Role, communes, lock."""
    ask(
        "people.set", id=fields.text("id", 40), role=fields.choice("role", ROLES),
        segments=_communes(), locked=request.form.get("locked") == "yes",
    )  # fmt: skip
    flash(_("Saved."), "ok")
    return back()


@bp.post("/reset")
def reset() -> Response:
    """A new one-time password; the second step starts anew."""
    made = ask("people.reset", id=fields.text("id", 40))
    _password(_("The one-time password, shown once:"), made["password"])
    return back()


@bp.post("/remove")
def remove() -> Response:
    """Delete an account."""
    ask("people.remove", id=fields.text("id", 40))
    return back()


@bp.post("/revoke")
def revoke() -> Response:
    """End somebody's session."""
    ask("sessions.revoke", id=fields.text("id", 80))
    return back()
