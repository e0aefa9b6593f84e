"""The annual report of the office, in Vietnamese, ready to print and sign."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, Response, flash, render_template, request
from sqlalchemy import func, select
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response as BaseResponse

from admin_ui.office import exports, queries
from admin_ui.office.access import office, scope, whole_province, written
from admin_ui.office.database import months_back, upsert
from admin_ui.office.tables import awareness, handed_in, schools
from admin_ui.office.views.overview import vietnam
from admin_ui.shared import fields
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back
from filterd.evidence import calendar

bp = Blueprint("report", __name__, url_prefix="/report")
MONTHS = 12


def year_wanted() -> int:
    """The year of the report."""
    text = request.args.get("year") or str(office().today().year)
    if len(text) != 4 or not text.isdigit() or not 2020 <= int(text) <= 2100:
        raise BadRequest
    return int(text)


def facts(year: int) -> dict[str, object]:
    """Everything the report says; as of today for a year that is not over."""
    today = office().today()
    as_of = min(today, date(year, 12, 31))
    month = as_of.isoformat()[:7]
    trend = queries.trend(office(), month, as_of.month, scope())
    return {
        "year": year, "as_of": as_of, "month": month, "partial": as_of < date(year, 12, 31),
        "trend": trend, "counts": queries.counts(office(), month, scope()),
        "gates": queries.gates(office(), month, scope()),
        "communes": queries.communes(office(), month, scope()),
        "sessions": _sessions(year),
        "due": _due(year, today),
        "bases": [(basis, basis.in_force(as_of)) for basis in vietnam().bases.values()],
        "months": months_back(month, as_of.month),
    }  # fmt: skip


def _sessions(year: int) -> dict[str, int]:
    source = awareness.join(schools, schools.c.id == awareness.c.school)
    inside = (awareness.c.day >= f"{year}-01-01", awareness.c.day <= f"{year}-12-31")
    row = office().rows(
        select(
            func.count().label("sessions"),
            func.count(func.distinct(awareness.c.school)).label("schools"),
            func.coalesce(func.sum(awareness.c.participants), 0).label("participants"),
        )
        .select_from(source)
        .where(*inside, queries.in_scope(scope()))
    )[0]
    return {key: int(value) for key, value in row.items()}


def _due(year: int, today: date) -> list[dict[str, Any]]:
    done = {
        (row["obligation"], row["year"]): date.fromisoformat(row["day"])
        for row in office().rows(select(handed_in))
    }
    found: list[dict[str, Any]] = []
    for obligation in vietnam().obligations:
        each = calendar.due(vietnam(), obligation, year)
        if each is None or obligation.sender != "office":
            continue
        day = done.get((obligation.id, year))
        found.append(
            {"due": each, "stage": each.stage(today, day).value, "day": day,
             "recipient": vietnam().recipients.get(obligation.recipient)}
        )  # fmt: skip
    return found


@bp.get("/")
def page() -> str:
    """The report on the screen."""
    year = year_wanted()
    return render_template("report/page.html", **facts(year))


@bp.get("/bao-cao.pdf")
def pdf() -> Response:
    """The same as PDF."""
    year = year_wanted()
    content = exports.pdf(render_template("report/print.html", **facts(year)))
    return exports.attachment(content, "application/pdf", f"bao-cao-{year}.pdf")


@bp.post("/hand-in")
def hand_in() -> BaseResponse:
    """Note that a report went out."""
    whole_province()
    obligation = fields.choice("obligation", tuple(o.id for o in vietnam().obligations))
    year = fields.integer("year", 2020, 2100)
    row = {"obligation": obligation, "year": year, "day": office().today().isoformat(),
           "entered_by": "office"}  # fmt: skip
    with office().write() as connection:
        connection.execute(upsert(connection, handed_in).values(**row).on_conflict_do_nothing())
    written("report.hand_in", f"{obligation} {year}")
    flash(_("Noted as handed in."), "ok")
    return back()
