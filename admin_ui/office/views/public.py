"""What everybody may see: the province's numbers, no school by name."""

from __future__ import annotations

from flask import Blueprint, render_template

from admin_ui.office import queries
from admin_ui.office.access import office
from admin_ui.office.database import months_back

bp = Blueprint("public", __name__, url_prefix="/public")
MONTHS = 12


@bp.get("/")
def page() -> str:
    """The last closed month, and the year before it."""
    month = months_back(queries.newest_month(office()), 2)[0]
    trend = queries.trend(office(), month, MONTHS)
    return render_template("public/page.html", month=month, counts=trend[month], trend=trend)
