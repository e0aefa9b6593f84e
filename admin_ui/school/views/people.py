"""People: accounts and their roles, one-time passwords, and who is signed in."""

from __future__ import annotations

from flask import Blueprint, flash, render_template, request
from markupsafe import Markup
from werkzeug.wrappers import Response

from admin_ui.school.policy import current
from admin_ui.shared import fields
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back

bp = Blueprint("people", __name__, url_prefix="/people")
ROLES = ("viewer", "teacher", "administrator", "approver", "inspector")


@bp.get("/")
def page() -> str:
    """All accounts, and all open sessions."""
    running, people = current(), ask("people.list")
    return render_template(
        "people/page.html",
        items=people["items"],
        others=people["approvers"],
        rests=people["rests_hours"],
        sessions=ask("sessions.list")["items"],
        segments=running.policy.segments,
        titles=running.titles,
        roles=ROLES,
    )


def segments() -> list[str]:
    """The ticked segments of the form."""
    return fields.several("segments", tuple(part.id for part in current().policy.segments))


def identity() -> str:
    """The id of the row whose button was pressed."""
    return fields.text("id", 80)


def hand_over(password: str) -> None:
    """Show a one-time password once."""
    shown = Markup("{} <code>{}</code>").format(_("One-time password, shown only now:"), password)
    flash(shown, "warn")


@bp.post("/add")
def add() -> Response:
    """A new account with a one-time password."""
    answer = ask(
        "people.add",
        name=fields.text("name", 60),
        title=fields.text("title", 120),
        role=fields.choice("role", ROLES),
        segments=segments(),
        reason=fields.text("reason", 300, required=False),
    )
    hand_over(answer["password"])
    return back()


@bp.post("/set")
def change() -> Response:
    """Another title, role, other segments, locked or not."""
    ask(
        "people.set",
        id=identity(),
        title=fields.text("title", 120),
        role=fields.choice("role", ROLES),
        segments=segments(),
        locked=request.form.get("locked") == "yes",
        reason=fields.text("reason", 300, required=False),
    )
    flash(_("Saved. Their sessions were signed out where the role changed."), "ok")
    return back()


@bp.post("/reset")
def reset() -> Response:
    """A new one-time password; the second step is set up anew too."""
    hand_over(ask("people.reset", id=identity())["password"])
    return back()


@bp.post("/remove")
def remove() -> Response:
    """Delete an account; what it did stays in the audit log."""
    ask("people.remove", id=identity())
    flash(_("The account is deleted. What it did stays in the audit log."), "ok")
    return back()


@bp.post("/revoke")
def revoke() -> Response:
    """End somebody's session."""
    ask("sessions.revoke", id=identity())
    flash(_("The session was ended."), "ok")
    return back()
