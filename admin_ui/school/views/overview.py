"""The start page: is the school protected, what changed, what needs a decision, how busy is it.

Aggregates only; a number with fewer than ten clients behind it is not shown (requirements §4.1).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, flash, render_template, request
from werkzeug.wrappers import Response

from admin_ui.school.access import may
from admin_ui.school.navigation import fresh_status
from admin_ui.school.policy import current
from admin_ui.school.views.evidence import brief
from admin_ui.shared import charts, fields, i18n, pictures
from admin_ui.shared.control import ask, ask_all
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back
from filterd.errors import ControlError

bp = Blueprint("overview", __name__)
PERIODS = ("day", "week", "month")


@bp.get("/")
def page() -> str:
    """The overview; without filterd it says so instead of guessing."""
    period = fields.choice("period", PERIODS, "day")
    state = fresh_status()
    if not state:
        raise ControlError("unavailable", _("The filter service does not answer"))
    return render_template(
        "overview/page.html",
        state=state,
        period=period,
        traffic=table(ask_all("status.traffic", period=period)),
        changes=ask("policy.history", limit=5)["items"] if may("history.page") else [],
        proof=brief(),
        unfinished=may("setup.page") and not ask("setup.state").get("done"),
        titles=current().titles,
    )


def table(traffic: dict[str, Any]) -> dict[str, Any]:
    """Sums per tier and per category for the tables beside the charts; None stays None."""
    tiers = {
        tier: {key: total(values) for key, values in rows.items()}
        for tier, rows in traffic.get("tiers", {}).items()
    }
    categories: dict[str, int] = {}
    for row in traffic.get("categories", {}).values():
        for category, count in row.items():
            if count is not None:
                categories[category] = categories.get(category, 0) + count
    ordered = sorted(categories.items(), key=lambda pair: -pair[1])
    return {"tiers": tiers, "categories": ordered, "most": max(categories.values(), default=0)}


def total(values: list[int | None]) -> int | None:
    """The sum of what may be shown; None when nothing may."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


@bp.get("/charts/<period>/<kind>.svg")
def chart(period: str, kind: str) -> Response:
    """Queries or blocks by tier over the period, as a picture."""
    if period not in PERIODS or kind not in {"queries", "blocked"}:
        raise fields.FieldError(_("This choice does not exist: %(value)s", value=period[:40]))
    traffic = ask_all("status.traffic", period=period)
    titles = current().titles["tiers"]
    series = {
        i18n.either(titles.get(tier, tier)): rows[kind]
        for tier, rows in traffic.get("tiers", {}).items()
    }
    labels = stamps(traffic, period)
    drawn = charts.lines(
        labels,
        series,
        dark=pictures.dark(),
        empty=_("Nothing to show yet"),
        every=max(1, len(labels) // 8),
    )
    return pictures.svg(drawn)


def stamps(traffic: dict[str, Any], period: str) -> list[str]:
    """What stands under the chart: hours of the day, else days."""
    start = i18n.moment(traffic.get("start"))
    count = max((len(rows["queries"]) for rows in traffic.get("tiers", {}).values()), default=0)
    if start is None:
        return [""] * count
    step = timedelta(seconds=traffic.get("step_seconds", 900))
    form = "%H:%M" if period == "day" else "%d/%m"
    local = start.astimezone(i18n.zone())
    return [(local + step * index).strftime(form) for index in range(count)]


@bp.post("/pause")
def pause() -> Response:
    """Pause filtering for staff-side faults: with a reason, an end and a second approver."""
    minutes = fields.integer("minutes", 1, 60)
    answer = ask("pause.start", minutes=minutes, reason=fields.text("reason", 300))
    flash(_("Filtering is paused until %(time)s.", time=i18n.clock(answer.get("until"))), "warn")
    return back()


@bp.post("/resume")
def resume() -> Response:
    """End a pause at once."""
    ask("pause.stop")
    flash(_("Filtering is on again."), "ok")
    return back(request.form.get("back", "/"))
