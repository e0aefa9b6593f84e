"""The province on one page: which schools meet the requirement, which do not, what to do first."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from flask import Blueprint, Response, render_template
from sqlalchemy import func, select

from admin_ui.office import queries
from admin_ui.office.access import office, scope
from admin_ui.office.navigation import month_title, month_wanted, status_titles
from admin_ui.office.queries import Scope, Wanted
from admin_ui.office.tables import refusals
from admin_ui.shared import charts
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.pictures import dark, svg
from filterd.evidence import calendar
from filterd.evidence.calendar import Calendar, Due

bp = Blueprint("overview", __name__)
MONTHS = 24
SILENT_DAYS = 3


@bp.get("/")
def page() -> str:
    """Everything that decides what is done today."""
    month, limits = month_wanted(), scope()
    return render_template(
        "overview/page.html",
        month=month,
        counts=queries.counts(office(), month, limits),
        trend=queries.trend(office(), month, MONTHS, limits),
        gates=queries.gates(office(), month, limits),
        communes=queries.communes(office(), month, limits),
        silent=silent(month, limits),
        refused=_refused() if limits is None else 0,
        due=due(),
    )


@bp.get("/chart.svg")
def chart() -> Response:
    """Schools by status over two years."""
    trend = queries.trend(office(), month_wanted(), MONTHS, scope())
    titles = status_titles()
    return svg(
        charts.bars(
            [month_title(month) for month in trend],
            {titles[key]: [each.by[key] for each in trend.values()] for key in queries.STATUSES},
            dark=dark(), empty=_("Nothing to show yet"), every=3,
        )
    )  # fmt: skip


def silent(month: str, limits: Scope) -> dict[str, object]:
    """Enrolled schools from which nothing came for some days."""
    before = (office().today() - timedelta(days=SILENT_DAYS)).isoformat()
    return queries.schools_like(
        office(), Wanted(month, silent_before=before, scope=limits), limit=8
    )


def _refused() -> int:
    """Summaries refused during the last week."""
    since = (office().today() - timedelta(days=7)).isoformat()
    query = select(func.coalesce(func.sum(refusals.c.times), 0).label("n"))
    return int(office().rows(query.where(refusals.c.day >= since))[0]["n"])


@cache
def vietnam() -> Calendar:
    """The calendar in use."""
    return calendar.load()


def due() -> tuple[Due, ...]:
    """What the office itself has to hand in next."""
    return calendar.upcoming([vietnam()], office().today(), "office")[:4]
