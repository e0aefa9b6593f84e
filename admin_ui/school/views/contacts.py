"""Helplines and links that the portal shows: editable, because offices and numbers change."""

from __future__ import annotations

from flask import Blueprint, flash, render_template, request
from werkzeug.wrappers import Response

from admin_ui.shared import fields
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back

bp = Blueprint("contacts", __name__, url_prefix="/helplines")
ROWS = 12


@bp.get("/")
def page() -> str:
    """The table of contacts with two empty rows."""
    items = ask("contacts.get")["items"]
    return render_template("tickets/contacts.html", items=items, rows=min(ROWS, len(items) + 2))


@bp.post("/")
def save() -> Response:
    """Keep the rows that have a value."""
    items = []
    for row in range(ROWS):
        value = fields.text(f"value{row}", 200, required=False)
        if not value:
            continue
        if value.startswith(("javascript:", "data:")):
            raise fields.FieldError(_("A link must begin with https://."))
        items.append(
            {
                "id": request.form.get(f"id{row}", "")[:40] or f"contact-{row + 1}",
                "title": {key: fields.text(f"title_{key}{row}", 120) for key in ("vi", "en")},
                "value": value,
                "kind": fields.choice(f"kind{row}", ("phone", "link"), "phone"),
                "note": {
                    key: fields.text(f"note_{key}{row}", 200, required=False)
                    for key in ("vi", "en")
                },
            }
        )
    ask("contacts.set", items=items)
    flash(_("The helplines are saved; the portal shows them at once."), "ok")
    return back()
