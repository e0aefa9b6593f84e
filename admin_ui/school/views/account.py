"""One's own account: password, second step, sessions."""

from __future__ import annotations

from flask import Blueprint, flash, g, render_template
from werkzeug.wrappers import Response

from admin_ui.school.told import browser
from admin_ui.shared import fields
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back

bp = Blueprint("account", __name__, url_prefix="/account")
bp.app_template_filter("browser")(browser)


@bp.get("/")
def page() -> str:
    """Who I am, and where I am signed in."""
    return render_template(
        "account/page.html", items=ask("sessions.list", account=g.account["id"])["items"]
    )


@bp.post("/revoke")
def revoke() -> Response:
    """End one of my sessions."""
    ask("sessions.revoke", id=fields.text("id", 80))
    flash(_("The session was ended."), "ok")
    return back()
