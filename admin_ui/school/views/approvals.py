"""Second approval: weakening changes that wait for another person, and what became of them."""

from __future__ import annotations

from flask import Blueprint, flash, g, render_template
from werkzeug.wrappers import Response

from admin_ui.school.policy import current
from admin_ui.school.views.people import hand_over
from admin_ui.shared import fields
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back

bp = Blueprint("approvals", __name__, url_prefix="/approvals")


@bp.get("/")
def page() -> str:
    """Open requests first, then the decided ones."""
    items = ask("approvals.list")["items"]
    return render_template(
        "approvals/page.html",
        waiting=[item for item in items if item["state"] == "open"],
        decided=[item for item in items if item["state"] != "open"][:50],
        titles=current().titles,
        approver="approve" in g.permissions,
    )


@bp.post("/decide")
def decide() -> Response:
    """Agree or refuse; nobody agrees to their own request (the supervisor checks)."""
    agree = fields.choice("decision", ("agree", "refuse")) == "agree"
    answer = ask(
        "approvals.decide",
        id=fields.text("id", 80),
        approve=agree,
        reason=fields.text("reason", 500),
    )
    if password := (answer.get("result") or {}).get("password"):
        hand_over(password)
    flash(_("Agreed: the change is running.") if agree else _("Refused."), "ok")
    return back()
