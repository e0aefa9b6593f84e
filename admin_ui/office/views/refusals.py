"""Summaries that were refused, with the cause: forged, edited, replayed, of a wrong clock."""

from __future__ import annotations

from flask import Blueprint, render_template
from sqlalchemy import select

from admin_ui.office import queries
from admin_ui.office.access import office, scope
from admin_ui.office.tables import refusals, schools

bp = Blueprint("refusals", __name__, url_prefix="/refusals")
SHOWN = 200


@bp.get("/")
def page() -> str:
    """The newest first; those of unknown senders for the whole province only."""
    source = refusals.outerjoin(schools, schools.c.id == refusals.c.school)
    query = select(refusals, schools.c.name).select_from(source)
    limits = scope()
    if limits is not None:
        query = query.where(queries.in_scope(limits))
    items = office().rows(query.order_by(refusals.c.last.desc()).limit(SHOWN))
    return render_template("refusals/page.html", items=items)
