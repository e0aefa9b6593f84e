"""Open or close a name now, for a while; exam mode. Everything here ends at an absolute time."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Blueprint, flash, g, render_template, request
from werkzeug.wrappers import Response

from admin_ui.school.policy import current
from admin_ui.shared import fields, i18n
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back

bp = Blueprint("overrides", __name__, url_prefix="/now")
MINUTES = (15, 45, 90, 240, 480)


@bp.get("/")
def page() -> str:
    """What is running, and the two forms."""
    running = current()
    own = g.account.get("segments") or []
    segments = [part for part in running.policy.segments if not own or part.id in own]
    return render_template(
        "overrides/page.html",
        items=ask("overrides.list")["items"],
        exams=ask("exams.list")["items"],
        titles=running.titles,
        segments=segments,
        tiers=running.policy.tiers,
        minutes=MINUTES,
        limited=bool(own),
        name=request.args.get("name", ""),
        tier=request.args.get("tier", ""),
        soon=(datetime.now(i18n.zone()) + timedelta(minutes=90)).strftime("%Y-%m-%dT%H:%M"),
    )


def until() -> dict[str, object]:
    """`minutes` from the buttons, or an absolute time when one was typed."""
    if request.form.get("until"):
        end = fields.local_time("until")
        if end <= datetime.now(i18n.zone()):
            raise fields.FieldError(_("The end lies in the past."))
        return {"until": end.isoformat()}
    return {"minutes": fields.integer("minutes", 1, 60 * 24 * 30, 45)}


@bp.post("/override")
def add() -> Response:
    """Open or block one name for tiers and segments, until a time, with a reason."""
    policy = current().policy
    ask(
        "overrides.add",
        name=fields.text("name", 300),
        allow=fields.choice("allow", ("yes", "no")) == "yes",
        tiers=fields.several("tiers", tuple(tier.id for tier in policy.tiers)),
        segments=fields.several("segments", tuple(part.id for part in policy.segments)),
        reason=fields.text("reason", 300),
        **until(),
    )
    flash(_("It is running."), "ok")
    return back()


@bp.post("/override/cancel")
def cancel() -> Response:
    """End an override at once."""
    ask("overrides.cancel", id=identity())
    flash(_("It was ended."), "ok")
    return back()


@bp.post("/exam")
def exam() -> Response:
    """Exam mode: only listed names for the chosen segments, until a time."""
    policy = current().policy
    segments = fields.several("segments", tuple(part.id for part in policy.segments))
    if not segments:
        raise fields.FieldError(_("Choose at least one network."))
    end = fields.local_time("until")
    ask(
        "exams.add",
        segments=segments,
        until=end.isoformat(),
        allowed=fields.words("allowed"),
        reason=fields.text("reason", 300),
    )
    flash(_("Exam mode is on until %(time)s.", time=i18n.date_and_time(end)), "ok")
    return back()


@bp.post("/exam/cancel")
def cancel_exam() -> Response:
    """End exam mode at once."""
    ask("exams.cancel", id=identity())
    flash(_("Exam mode has ended."), "ok")
    return back()


def identity() -> str:
    """The id of the row whose button was pressed."""
    return fields.text("id", 80)
