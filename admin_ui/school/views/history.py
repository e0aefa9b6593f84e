"""The policy's history: every revision with author, reason and difference; undo is a click."""

from __future__ import annotations

from flask import Blueprint, flash, render_template
from werkzeug.wrappers import Response

from admin_ui.shared import fields
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back

bp = Blueprint("history", __name__, url_prefix="/history")


@bp.get("/")
def page() -> str:
    """Revisions, newest first, a page at a time."""
    before = fields.integer("before", 0, 10**9, 0)
    answer = ask("policy.history", before=before or None, limit=50)
    return render_template("history/page.html", items=answer["items"], more=answer.get("more"))


@bp.get("/<int:revision>")
def one(revision: int) -> str:
    """One revision: what it changed, who, why, and its documents."""
    return render_template("history/one.html", item=ask("policy.revision", revision=revision))


@bp.post("/<int:revision>/undo")
def undo(revision: int) -> Response:
    """Run an older revision again, as a new revision."""
    answer = ask("policy.rollback", revision=revision, reason=fields.text("reason", 500))
    flash(_("Revision %(n)s is running.", n=answer["revision"]), "ok")
    return back()
