"""Communes side by side."""

from __future__ import annotations

from flask import Blueprint, render_template

from admin_ui.office import queries
from admin_ui.office.access import office, scope
from admin_ui.office.navigation import month_wanted

bp = Blueprint("communes", __name__, url_prefix="/communes")


@bp.get("/")
def page() -> str:
    """A map-like grid and the same as a table."""
    month = month_wanted()
    items = queries.communes(office(), month, scope())
    return render_template("communes/page.html", month=month, items=items)
