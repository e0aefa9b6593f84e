"""API tokens: what may script the console, with which rights, until when."""

from __future__ import annotations

from flask import Blueprint, flash, g, render_template
from markupsafe import Markup
from werkzeug.wrappers import Response

from admin_ui.shared import fields
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back

bp = Blueprint("tokens", __name__, url_prefix="/tokens")
SCOPES = ("view", "evidence", "timed", "edit", "decide", "people", "audit",
          "backup", "approve", "debug")  # fmt: skip


@bp.get("/")
def page() -> str:
    """The tokens, the form, and where the description of the API is."""
    return render_template(
        "tokens/page.html",
        items=ask("tokens.list")["items"],
        scopes=[key for key in SCOPES if key in g.permissions],
        scope_titles=scope_titles(),
    )


def scope_titles() -> dict[str, str]:
    """The rights a token may have, in words."""
    return {
        "view": _("look"),
        "evidence": _("evidence"),
        "timed": _("open and close for a while"),
        "edit": _("edit the policy and the lists"),
        "decide": _("decide requests"),
        "people": _("people"),
        "audit": _("audit log"),
        "backup": _("backup"),
        "approve": _("agree as the second person"),
        "debug": _("debug view"),
    }


@bp.post("/add")
def add() -> Response:
    """Make a token; it is shown once."""
    ends = fields.text("expires", 25, required=False)
    answer = ask(
        "tokens.add",
        title=fields.text("title", 80),
        scopes=fields.several("scopes", SCOPES),
        expires=fields.local_time("expires").isoformat() if ends else None,
    )
    shown = Markup("{} <code>{}</code>").format(_("Token, shown only now:"), answer["token"])
    flash(shown, "warn")
    return back()


@bp.post("/revoke")
def revoke() -> Response:
    """End a token at once."""
    ask("tokens.revoke", id=fields.text("id", 80))
    flash(_("The token was ended."), "ok")
    return back()
