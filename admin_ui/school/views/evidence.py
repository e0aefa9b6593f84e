"""Evidence: what the filter can prove about itself this month, its self-test, dates and reports.

Shows what `evidence.*` answers; computes no indicator and keeps nothing about pupils.
"""

from __future__ import annotations

import base64
import json
import math
import time
from typing import Any

from flask import Blueprint, Response, current_app, flash, render_template
from werkzeug.wrappers import Response as BaseResponse

from admin_ui.school.access import may
from admin_ui.school.policy import current
from admin_ui.shared import fields
from admin_ui.shared.control import ask, ask_all
from admin_ui.shared.i18n import LANGUAGES, moment, number
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back
from filterd.errors import ControlError

bp = Blueprint("evidence", __name__, url_prefix="/evidence")
FORMATS = {
    "pdf": "application/pdf",
    "html": "text/html",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}
MONTHS = 12
FRESH = 60.0
"""The overview is opened often; the month's status needs every summary of the month."""


@bp.get("/")
def page() -> str:
    """The month so far."""
    return shown(None)


@bp.post("/selftest")
def selftest() -> str:
    """Run the whole self-test now and show what it found."""
    return shown(ask("evidence.selftest"))


def shown(tested: dict[str, Any] | None) -> str:
    """The page, with a self-test's result when one was just run."""
    state = ask("evidence.status")
    month = state["period"]
    calendar = ask("evidence.calendar")
    spent = ask("evidence.exposure", days=31)["items"]
    return render_template(
        "evidence/page.html",
        state=state, tested=tested, table=rows(tested) if tested else [], calendar=calendar,
        spent=[each for each in spent if str(each["day"]).startswith(month)],
        summaries=ask("evidence.summaries", first=f"{month}-01", last=str(state["as_of"])),
        titles=current().titles, periods=periods(month, calendar.get("semester")),
        formats=FORMATS, minutes=minutes, share=share, day=day, shipped_only=shipped_only(state),
        bases={each["id"]: each for each in calendar["legal_basis"]},
    )  # fmt: skip


def rows(tested: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """The self-test as a table: (group, what was asked, tier → [passed, executed])."""
    found = []
    for group in ("block", "safesearch"):
        subjects = {subject for cells in tested[group].values() for subject in cells}
        for subject in sorted(subjects):
            cells = {tier: each.get(subject) for tier, each in tested[group].items()}
            found.append((group, subject, cells))
    return [*found, ("allow", "", tested["allow"])]


def shipped_only(state: dict[str, Any]) -> bool:
    """Whether I4 fails because no list was ever fetched: only those of the product are loaded."""
    freshness = [each["verdict"] for each in state["indicators"] if each["id"] == "I4"]
    if not set(freshness) & {"fail", "warn"}:
        return False
    items = ask_all("lists.status")["items"]
    return not any(each["url"] and each["entries"] and each["checked"] for each in items)


def periods(month: str, semester: str | None) -> list[tuple[str, str]]:
    """What can be reported on: the last months, this half-year and this year, with their titles."""
    year, now = (int(part) for part in month.split("-"))
    counted = [year * 12 + now - 1 - back_ for back_ in range(MONTHS)]
    months = [(f"{n // 12}-{n % 12 + 1:02}", f"{n % 12 + 1:02}/{n // 12}") for n in counted]
    half = [(semester, _("Half-year %(id)s", id=semester))] if semester else []
    return [*months, *half, (str(year), _("Year %(year)s", year=year))]


def minutes(seconds: int) -> str:
    """Minutes with one decimal, rounded up: the shortest gap is never shown as none."""
    return number(math.ceil(seconds / 6) / 10)


def share(basis_points: int) -> str:
    """9950 as 99.5 %, as the language writes it."""
    return f"{number(basis_points / 100)} %"


def day(value: str) -> str:
    """A local day as people write it."""
    at = moment(value)
    return at.strftime("%d/%m/%Y") if at else "–"


@bp.post("/report")
def report() -> Response:
    """The report as a file."""
    form = fields.choice("format", tuple(FORMATS))
    period, language = fields.text("period", 20), fields.choice("lang", tuple(LANGUAGES))
    answer = ask("evidence.report", period=period, format=form, lang=language)
    if form == "json":
        content = json.dumps(answer["record"], ensure_ascii=False, indent=1).encode()
    else:
        content = base64.b64decode(answer["content"])
    headers = {"Content-Disposition": f'attachment; filename="{answer["file"]}"'}
    return Response(content, mimetype=FORMATS[form], headers=headers)


@bp.post("/hand-in")
def hand_in() -> BaseResponse:
    """Note that a report of the calendar was handed in."""
    year = fields.integer("year", 2000, 2200)
    handed = fields.text("day", 10)
    if moment(handed) is None:
        raise fields.FieldError(_("This is not a date and time."))
    ask("evidence.hand_in", obligation=fields.text("obligation", 60), year=year, day=handed)
    flash(_("Noted as handed in."), "ok")
    return back("/evidence/")


def brief() -> dict[str, Any]:
    """The month's status for the overview, at most a minute old; empty when it is not known."""
    if not may("evidence.page"):
        return {}
    at, kept = current_app.extensions.get("filterd_evidence", (-FRESH, {}))
    if time.monotonic() - at >= FRESH:
        try:
            kept = ask("evidence.status")
        except ControlError:
            kept = {}
        current_app.extensions["filterd_evidence"] = (time.monotonic(), kept)
    return dict(kept)
