"""The debug view: the only page that shows single queries. Off; reason, second person, end, banner.

Rows live in the supervisor's memory; nothing of them is kept here.
"""

from __future__ import annotations

from flask import Blueprint, flash, render_template
from werkzeug.wrappers import Response

from admin_ui.school.policy import current
from admin_ui.shared import fields
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back

bp = Blueprint("tail", __name__, url_prefix="/debug")


@bp.get("/")
def page() -> str:
    """The state, and the newest rows while it is on."""
    state = ask("tail.state")
    rows = ask("tail.rows")["items"] if state.get("on") else []
    return render_template("tail/page.html", state=state, rows=rows[-200:], titles=current().titles)


@bp.post("/start")
def start() -> Response:
    """Ask for the debug view."""
    minutes = fields.integer("minutes", 1, 60, 15)
    ask("tail.start", minutes=minutes, reason=fields.text("reason", 300))
    flash(_("The debug view is on. It ends by itself."), "warn")
    return back()


@bp.post("/stop")
def stop() -> Response:
    """End it at once; what it showed is gone."""
    ask("tail.stop")
    flash(_("The debug view is off."), "ok")
    return back()
