"""The preview: what the draft would change, for whom, and the one button that applies it."""

from __future__ import annotations

from flask import Blueprint, flash, render_template, url_for
from markupsafe import Markup
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from admin_ui.school import draft, edits
from admin_ui.school.policy import current
from admin_ui.shared import fields
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from filterd.errors import ControlError
from filterd.policy.dump import dump

bp = Blueprint("preview", __name__, url_prefix="/preview")


@bp.get("/")
def page() -> str:
    """Semantic differences, assertions, weakening and blast radius of the draft."""
    mine = draft.load()
    seen = ask("policy.preview", files=dump(mine.policy), base=mine.base) if mine.changes else None
    return render_template(
        "policy/preview.html", draft=mine, seen=seen, titles=current().titles, running=current()
    )


@bp.post("/apply")
def apply() -> Response:
    """Apply the draft with its reason; a weakening change goes to a second person instead."""
    mine = draft.load()
    if not mine.changes:
        return redirect(url_for("tiers.page"), 303)
    reason = fields.text("reason", 500)
    try:
        answer = ask("policy.apply", files=dump(mine.policy), base=mine.base, reason=reason)
    except ControlError as error:
        if error.code == "needs_approval":  # it is the second person's now
            ask("drafts.drop")
        raise
    ask("drafts.drop")
    undo = url_for("history.one", revision=answer["revision"])
    text = Markup('{} <a href="{}">{}</a>').format(
        _("Revision %(n)s is running.", n=answer["revision"]), undo, _("Look or undo")
    )
    flash(text, "ok")
    return redirect(url_for("tiers.page"), 303)


@bp.post("/assertion")
def assertion() -> Response:
    """Drop an assertion that no longer holds; that is a change like any other."""
    tier = fields.choice("tier", tuple(tier.id for tier in draft.load().policy.tiers))
    name = fields.text("name", 300)
    draft.edit(lambda policy: edits.drop_assertion(policy, tier, name))
    return redirect(url_for("preview.page"), 303)


@bp.post("/drop")
def drop() -> Response:
    """Throw the draft away."""
    ask("drafts.drop")
    flash(_("The draft was dropped. Nothing was changed."), "ok")
    return redirect(url_for("tiers.page"), 303)
