"""Keeping the register: import, merges and renames of communes."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, flash, render_template, request
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from admin_ui.office import register
from admin_ui.office.access import office, whole_province, written
from admin_ui.office.register import Merge
from admin_ui.office.tables import schools, units
from admin_ui.shared import fields
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back
from filterd.errors import DocumentError

bp = Blueprint("register", __name__, url_prefix="/register")
SHOWN_PROBLEMS = 30


@bp.get("/")
def page(problems: tuple[str, ...] = ()) -> str:
    """How many schools and communes there are, and the forms."""
    whole_province()
    size = office().rows(
        select(func.count().label("n"), func.count(schools.c.enrolled).label("boxes"))
    )[0]
    communes = office().rows(
        select(units).where(units.c.kind == register.COMMUNE).order_by(units.c.name)
    )
    return render_template(
        "register/page.html", size=size, communes=communes, problems=problems,
        today=office().today().isoformat(),
    )  # fmt: skip


def day(key: str) -> date:
    """A date of a form."""
    try:
        return date.fromisoformat(fields.text(key, 10))
    except ValueError:
        raise fields.FieldError(_("This is not a date.")) from None


@bp.post("/load")
def load() -> str | Response:
    """Import a CSV; with a mistake nothing is imported and every mistake is shown."""
    whole_province()
    file = request.files.get("file")
    if file is None or not file.filename:
        raise fields.FieldError(_("Choose a CSV file first."))
    try:
        done = register.load(office(), register.parse(file.read()), day("since"))
    except DocumentError as error:
        return page(tuple(str(each) for each in error.problems[:SHOWN_PROBLEMS]))
    written("register.load", file.filename[:100], f"+{done.added} ~{done.renamed + done.moved}")
    flash(
        _("%(added)s schools are new, %(renamed)s renamed, %(moved)s moved, %(same)s as before.",
          added=done.added, renamed=done.renamed, moved=done.moved, same=done.unchanged),
        "ok",
    )  # fmt: skip
    return back("/register/")


@bp.post("/merge")
def merge() -> Response:
    """Several communes become one, or one gets a new code or name."""
    whole_province()
    wanted = Merge(
        tuple(request.form.getlist("communes")), fields.text("into", 60), fields.text("name", 200),
        day("since"),
    )  # fmt: skip
    if not wanted.communes:
        raise fields.FieldError(_("Choose at least one commune."))
    try:
        moved = register.merge(office(), wanted)
    except DocumentError as error:
        raise fields.FieldError(str(error)) from None
    written("register.merge", wanted.into, ", ".join(wanted.communes))
    flash(_("%(n)s schools now belong to %(name)s; their history stays.", n=moved,
            name=wanted.name), "ok")  # fmt: skip
    return back()
