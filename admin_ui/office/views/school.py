"""One school: its status and why, the evidence behind it, its history, its device."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, Response, abort, flash, render_template
from markupsafe import Markup
from sqlalchemy import select, update
from werkzeug.wrappers import Response as BaseResponse

from admin_ui.office import enrolment, ingest, methods, queries, register
from admin_ui.office.access import office, scope, written
from admin_ui.office.navigation import month_wanted
from admin_ui.office.tables import awareness, proofs, refusals, schools, summaries
from admin_ui.shared import fields
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back

bp = Blueprint("school", __name__, url_prefix="/schools")
KEPT_DAYS = 31


def visible(id: str) -> dict[str, Any]:
    """The school, when this account may see it."""
    found = queries.school(office(), id, scope())
    if found is None:
        abort(404)
    return found


@bp.get("/<id>")
def one(id: str) -> str:
    """Everything the office knows of it."""
    found, month = visible(id), month_wanted()
    months = queries.school_months(office(), id)
    return render_template(
        "school/one.html",
        school=found, month=month, months=months,
        shown=next((each for each in months if each["month"] == month), None),
        history=register.history(office(), id),
        devices=enrolment.of_school(office(), id),
        refused=_rows(refusals, refusals.c.school == id, refusals.c.last.desc(), 20),
        kept=_kept(id, month),
        method_titles={each.version: each.title for each in methods.versions(office()).methods},
        proofs=_rows(proofs, proofs.c.school == id, proofs.c.asked.desc(), 12),
        sessions=_rows(awareness, awareness.c.school == id, awareness.c.day.desc(), 12),
    )  # fmt: skip


def _rows(table: Any, where: Any, order: Any, limit: int) -> list[dict[str, Any]]:
    return office().rows(select(table).where(where).order_by(order).limit(limit))


def _kept(id: str, month: str) -> list[dict[str, Any]]:
    columns = [c for c in summaries.c if c.name != "envelope"]
    inside = (summaries.c.school == id, summaries.c.day >= f"{month}-01",
              summaries.c.day <= f"{month}-31")  # fmt: skip
    rows = office().rows(
        select(*columns).where(*inside).order_by(summaries.c.day.desc()).limit(KEPT_DAYS)
    )
    expected = methods.versions(office()).on(date.fromisoformat(f"{month}-01")).version
    return [{**row, "expected": expected} for row in rows]


@bp.get("/<id>/<day>.json")
def summary(id: str, day: str) -> Response:
    """The signed summary of a day as the school sent it, for an auditor."""
    visible(id)
    query = select(summaries.c.envelope).where(summaries.c.school == id, summaries.c.day == day)
    rows = office().rows(query.order_by(summaries.c.counter.desc()).limit(1))
    if not rows:
        abort(404)
    return Response(ingest.unpack(rows[0]["envelope"]), mimetype="application/json")


@bp.post("/<id>/code")
def code(id: str) -> BaseResponse:
    """A one-time code for the school's device, shown once."""
    visible(id)
    made = enrolment.new_code(office(), id, "office")
    written("schools.code", id)
    text = Markup("{} <code>{}</code>").format(
        _("The one-time code, valid for %(n)s days. It is shown once:", n=enrolment.CODE_DAYS), made
    )
    flash(text, "ok")
    return back()


@bp.post("/<id>/revoke")
def revoke(id: str) -> BaseResponse:
    """Take nothing more from a device."""
    visible(id)
    device = fields.text("device", 32)
    if device not in {each["id"] for each in enrolment.of_school(office(), id)}:
        abort(404)
    enrolment.revoke(office(), device)
    written("schools.revoke", id, fields.text("reason", 300))
    flash(_("Nothing that this key signs is taken any more."), "ok")
    return back()


@bp.post("/<id>/note")
def annotate(id: str) -> BaseResponse:
    """The office's note beside the evidence; the evidence itself cannot be edited."""
    visible(id)
    note = fields.text("note", 2000, required=False, lines=True)
    with office().write() as connection:
        connection.execute(update(schools).where(schools.c.id == id).values(note=note))
    written("schools.note", id)
    return back()
