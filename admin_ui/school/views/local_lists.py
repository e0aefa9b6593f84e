"""The school's own lists and the authority list: names typed by hand, acting at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from flask import Blueprint, flash, g, render_template
from werkzeug.wrappers import Response

from admin_ui.school import draft
from admin_ui.school.policy import current
from admin_ui.shared import fields
from admin_ui.shared.control import ask, ask_all
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.i18n import number
from admin_ui.shared.web import back
from filterd.policy.model import AuthorityEntry, Name, Policy

bp = Blueprint("local_lists", __name__, url_prefix="/own-lists")


@bp.get("/")
def page() -> str:
    """One text area per category, and the entries that an authority ordered."""
    running = current()
    kept = {item["category"]: item for item in ask_all("lists.local_get")["items"]}
    chosen = fields.text("category", 40, required=False)
    first = next((key for key in running.taxonomy.categories if key in kept), "games")
    return render_template(
        "lists/own.html",
        kept=kept,
        category=chosen if chosen in running.taxonomy.categories else first,
        categories=[key for key in running.taxonomy.categories if key not in {"csam", "authority"}],
        authority=draft.load().policy.authority,
        draft=draft.load(),
        titles=running.titles,
        editable="edit" in g.permissions,
    )


@bp.post("/")
def save() -> Response:
    """Replace the school's own names of one category."""
    answer = ask(
        "lists.local_set",
        category=fields.choice("category", tuple(current().taxonomy.categories)),
        text=fields.text("names", 500_000, required=False, lines=True),
        reason=fields.text("reason", 300),
        base=fields.text("base", 64, required=False) or None,
    )
    flash(_("%(n)s names are running.", n=number(answer["entries"])), "ok")
    if answer.get("dropped"):
        count = sum(answer["dropped"].values())
        flash(_("%(n)s lines were not used: protected or not a name.", n=number(count)), "warn")
    return back()


@bp.post("/authority")
def order() -> Response:
    """Add an entry that an authority ordered, with its document."""
    try:
        issued = date.fromisoformat(fields.text("issued", 10))
        ends = fields.text("expires", 10, required=False)
        expires = date.fromisoformat(ends) if ends else None
    except ValueError:
        raise fields.FieldError(_("This is not a date.")) from None
    name = Name(fields.text("name", 253).lower().rstrip("."))
    entry = AuthorityEntry(
        name, fields.text("document", 120), fields.text("issuer", 120), issued, expires
    )

    def change(policy: Policy) -> Policy:
        return replace(policy, authority=(*policy.authority, entry))

    draft.edit(change)
    flash(_("The entry is in your draft; preview and apply it."), "ok")
    return back()
