"""Schools as a list: searched, by status, by commune, by the gate that holds them back, silent."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, render_template, request
from sqlalchemy import select

from admin_ui.office import exports, queries
from admin_ui.office.access import office, scope
from admin_ui.office.navigation import month_wanted
from admin_ui.office.queries import Wanted
from admin_ui.office.tables import units
from admin_ui.office.views.overview import SILENT_DAYS
from admin_ui.shared import fields

bp = Blueprint("schools", __name__, url_prefix="/schools")
EXPORT_ROWS = 60_000


def wanted() -> Wanted:
    """The list that is asked for."""
    silent = request.args.get("silent") == "yes"
    before = (office().today() - timedelta(days=SILENT_DAYS)).isoformat() if silent else ""
    return Wanted(
        month_wanted(),
        fields.text("text", 100, required=False),
        fields.choice("status", ("", *queries.STATUSES), ""),
        fields.text("commune", 60, required=False),
        fields.text("gate", 5, required=False),
        before,
        scope(),
        request.args.get("method") == "other",
    )


def given() -> dict[str, str]:
    """The search, for links that keep it."""
    keys = ("month", "text", "status", "commune", "gate", "silent", "method")
    return {key: request.args[key] for key in keys if request.args.get(key)}


@bp.get("/")
def page() -> str:
    """One page of the list."""
    number = fields.integer("page", 0, 100_000, 0)
    search = wanted()
    names = office().rows(
        select(units.c.id, units.c.name).where(units.c.kind == "commune").order_by(units.c.name)
    )
    seen = [row for row in names if search.scope is None or row["id"] in search.scope]
    return render_template(
        "schools/page.html",
        found=queries.schools_like(office(), search, number),
        number=number, search=search, given=given(), communes=seen, month=search.month,
    )  # fmt: skip


@bp.get("/export.<form>")
def export(form: str) -> Response:
    """The whole list as CSV, XLSX or PDF."""
    search = wanted()
    found = queries.schools_like(office(), search, limit=EXPORT_ROWS)
    return exports.schools(found["items"], search.month, form)
