"""The inbox: requests to open a name and reports of harmful content, with a clock and a decision.

No field holds who asked; the note is scrubbed by the supervisor on closing.
"""

from __future__ import annotations

from flask import Blueprint, flash, g, render_template, request
from werkzeug.wrappers import Response

from admin_ui.school.policy import current
from admin_ui.school.told import decision_titles
from admin_ui.shared import fields
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back

bp = Blueprint("tickets", __name__, url_prefix="/tickets")
STATES = ("open", "closed", "")
TYPES = ("", "unblock", "harmful", "other")
DECISIONS = ("accepted", "refused", "passed_on")


@bp.get("/")
def page() -> str:
    """One inbox, the most urgent first, a page at a time."""
    state, kind = fields.choice("state", STATES, "open"), fields.choice("type", TYPES, "")
    search = fields.text("search", 100, required=False)
    before = fields.integer("before", 0, 10**9, 0)
    answer = ask(
        "tickets.list",
        state=state or None,
        type=kind or None,
        search=search or None,
        before=before or None,
        limit=50,
    )
    return render_template(
        "tickets/page.html",
        items=answer["items"],
        more=answer.get("more"),
        counts=answer.get("counts", {}),
        state=state,
        type=kind,
        search=search,
        titles=current().titles,
        type_titles=type_titles(),
        decision_titles=decision_titles(),
    )


def type_titles() -> dict[str, str]:
    """Kinds of tickets in words."""
    return {
        "unblock": _("Please open"),
        "harmful": _("Harmful content"),
        "other": _("Other"),
    }


@bp.get("/<int:number>")
def one(number: int) -> str:
    """One ticket with its history and the decision form."""
    return render_template(
        "tickets/one.html",
        item=ask("tickets.get", id=number),
        titles=current().titles,
        type_titles=type_titles(),
        decision_titles=decision_titles(),
        decidable="decide" in g.permissions,
    )


@bp.post("/<int:number>/decide")
def decide(number: int) -> Response:
    """Close a ticket with a decision and its reason."""
    word = fields.choice("decision", DECISIONS)
    ask("tickets.decide", id=number, decision=word, reason=fields.text("reason", 500))
    flash(_("Decided. The free text of the request was deleted."), "ok")
    if word == "accepted" and request.form.get("name"):
        flash(_("Now open the name where it is needed: “Open or close now”."), "")
    return back()


@bp.post("/<int:number>/hand-off")
def handoff(number: int) -> Response:
    """Record that an authority was told: office and reference number, no pupil."""
    ask(
        "tickets.handoff",
        id=number,
        office=fields.text("office", 120),
        reference=fields.text("reference", 80),
    )
    flash(_("The hand-off is recorded."), "ok")
    return back()
