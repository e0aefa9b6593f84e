"""Awareness sessions, entered by hand and printed apart from the filter's evidence."""

from __future__ import annotations

import secrets

from flask import Blueprint, abort, flash, render_template
from sqlalchemy import delete, func, insert, select
from werkzeug.wrappers import Response

from admin_ui.office import queries
from admin_ui.office.access import office, scope, written
from admin_ui.office.tables import awareness, schools
from admin_ui.shared import fields
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back

bp = Blueprint("awareness", __name__, url_prefix="/awareness")
SHOWN = 200


@bp.get("/")
def page() -> str:
    """This year's sessions, and how many schools of the register had one."""
    year = office().today().year
    source = awareness.join(schools, schools.c.id == awareness.c.school)
    here = (queries.in_scope(scope()), awareness.c.day >= f"{year}-01-01")
    held = select(func.count(func.distinct(awareness.c.school)).label("n")).select_from(source)
    query = select(awareness, schools.c.name).select_from(source).where(*here)
    return render_template(
        "awareness/page.html",
        items=office().rows(query.order_by(awareness.c.day.desc()).limit(SHOWN)),
        held=office().rows(held.where(*here))[0]["n"],
        register=queries.counts(office(), queries.newest_month(office()), scope()).register,
        year=year, today=office().today().isoformat(),
    )  # fmt: skip


@bp.post("/add")
def add() -> Response:
    """One session that took place."""
    school = fields.text("school", 60)
    if queries.school(office(), school, scope()) is None:
        raise fields.FieldError(_("No school with this code is in the register."))
    row = {
        "id": secrets.token_urlsafe(8), "school": school, "day": fields.text("day", 10),
        "grades": fields.text("grades", 60, required=False),
        "participants": fields.integer("participants", 0, 100_000),
        "title": fields.text("title", 200), "entered_by": "office",
    }  # fmt: skip
    with office().write() as connection:
        connection.execute(insert(awareness).values(**row))
    written("awareness.add", school, str(row["title"]))
    flash(_("The session is in the register."), "ok")
    return back()


@bp.post("/remove")
def remove() -> Response:
    """Take a wrong entry out."""
    id = fields.text("id", 20)
    with office().write() as connection:
        gone = connection.execute(delete(awareness).where(awareness.c.id == id)).rowcount
    if not gone:
        abort(404)
    written("awareness.remove", id)
    return back()
