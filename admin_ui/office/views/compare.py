"""Two months side by side: who got better, who got worse."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from admin_ui.office import queries
from admin_ui.office.access import office, scope
from admin_ui.office.database import months_back
from admin_ui.office.navigation import month_wanted

bp = Blueprint("compare", __name__, url_prefix="/compare")


@bp.get("/")
def page() -> str:
    """The table of moves and the schools that moved."""
    month = month_wanted()
    choices = months_back(queries.newest_month(office()), 24)[::-1]
    wanted = request.args.get("before", "")
    before = wanted if wanted in choices else months_back(month, 2)[0]
    found = queries.compare(office(), before, month, scope())
    return render_template(
        "compare/page.html", month=month, before=before, choices=choices, found=found,
        statuses=queries.STATUSES,
    )  # fmt: skip
