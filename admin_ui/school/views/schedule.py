"""The weekly schedule of a tier and the school's calendar, edited into the draft."""

from __future__ import annotations

from datetime import date, time

from flask import Blueprint, g, render_template, request, url_for
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from admin_ui.school import draft, edits, week
from admin_ui.school.policy import current
from admin_ui.shared import fields
from admin_ui.shared.i18n import gettext as _
from filterd.policy.model import (
    Calendar,
    CategoryId,
    Effect,
    Floor,
    Period,
    Policy,
    Range,
    ServiceId,
    Term,
    YouTube,
)

bp = Blueprint("schedule", __name__, url_prefix="/schedule")
KINDS = ("terms", "holidays", "exams")


@bp.get("/")
def page() -> str:
    """One tier's week as a grid and as a list, and the calendar."""
    mine, running = draft.load(), current()
    chosen = request.args.get("tier", "")
    tier = next((t for t in mine.policy.tiers if t.id == chosen), mine.policy.tiers[0])
    on = Calendar(fields.choice("on", ("term", "holiday", "exam"), "term"))
    movable = [
        key for key, kind in running.taxonomy.categories.items()
        if kind.floor is not Floor.EVERYONE and not (kind.floor is Floor.PUPILS and tier.pupils)
    ]  # fmt: skip
    return render_template(
        "schedule/page.html",
        draft=mine,
        tier=tier,
        titles=running.titles,
        blocks=week.blocks(tier.schedule, on),
        on=on,
        days=week.days(),
        day_words=week.day_words,
        movable=movable,
        services=tuple(running.taxonomy.services),
        calendars=tuple(Calendar),
        youtube=tuple(YouTube),
        kinds=KINDS,
        editable="edit" in g.permissions,
    )


def clock_time(key: str) -> time | None:
    """An optional time of day."""
    written = fields.text(key, 8, required=False)
    try:
        return time.fromisoformat(written) if written else None
    except ValueError:
        raise fields.FieldError(_("This is not a time of day.")) from None


def ranges() -> tuple[Range, ...]:
    """Up to three ranges; a row with one empty end is refused."""
    found = []
    for number in range(3):
        start, end = clock_time(f"start{number}"), clock_time(f"end{number}")
        if (start is None) != (end is None):
            raise fields.FieldError(_("A time needs both a start and an end."))
        if start is not None and end is not None:
            found.append(Range(start, end))
    if not found:
        raise fields.FieldError(_("A period needs at least one start and end."))
    return tuple(found)


def effect() -> Effect:
    """What differs while the period runs."""
    known = current().taxonomy
    categories, services = tuple(known.categories), tuple(known.services)
    word = fields.choice("allow_only", ("", "yes", "no"))
    mode = fields.choice("youtube", ("", *YouTube))
    return Effect(
        block=frozenset(CategoryId(key) for key in fields.several("block", categories)),
        allow=frozenset(CategoryId(key) for key in fields.several("allow", categories)),
        block_services=frozenset(map(ServiceId, fields.several("block_services", services))),
        allow_services=frozenset(map(ServiceId, fields.several("allow_services", services))),
        allow_only={"": None, "yes": True, "no": False}[word],
        youtube=YouTube(mode) if mode else None,
    )


@bp.post("/period")
def add() -> Response:
    """Add a period to the draft."""
    weekdays = frozenset(int(day) for day in fields.several("weekdays", tuple("0123456")))
    if not weekdays:
        raise fields.FieldError(_("Choose at least one day of the week."))
    on = frozenset(Calendar(word) for word in fields.several("on", tuple(Calendar)))
    period = Period(fields.text("name", 60), weekdays, ranges(), on, effect())
    tier = fields.choice("tier", tuple(tier.id for tier in draft.load().policy.tiers))
    draft.edit(lambda policy: edits.add_period(policy, tier, period))
    return redirect(url_for("schedule.page", tier=tier), 303)


@bp.post("/period/remove")
def remove() -> Response:
    """Take a period out of the draft."""
    tier = fields.choice("tier", tuple(tier.id for tier in draft.load().policy.tiers))
    name = fields.text("name", 60)
    draft.edit(lambda policy: edits.drop_period(policy, tier, name))
    return redirect(url_for("schedule.page", tier=tier), 303)


def day(key: str) -> date:
    """A date as the browser's picker sends it."""
    try:
        return date.fromisoformat(fields.text(key, 10))
    except ValueError:
        raise fields.FieldError(_("This is not a date.")) from None


@bp.post("/calendar")
def calendar() -> Response:
    """Add or remove a term, holiday or exam span in the draft."""
    kind = fields.choice("kind", KINDS)
    drop = request.form.get("drop")
    span = None if drop else Term(fields.text("name", 80), day("first"), day("last"))
    if span and span.last < span.first:
        raise fields.FieldError(_("The last day lies before the first."))

    def change(policy: Policy) -> Policy:
        spans = tuple(each for each in getattr(policy.calendar, kind) if each.name != drop)
        spans = (*spans, span) if span else spans
        return edits.with_spans(policy, kind, spans)

    draft.edit(change)
    return redirect(url_for("schedule.page", tier=request.form.get("tier", "")) + "#calendar", 303)
