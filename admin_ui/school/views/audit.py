"""The audit log: search, verify the chain, export. Append-only; nothing here changes it."""

from __future__ import annotations

import csv
import io

from flask import Blueprint, Response, current_app, render_template

from admin_ui.school.acts import act_titles
from admin_ui.school.told import audit_object, audit_reason
from admin_ui.shared import fields
from admin_ui.shared.control import ask

bp = Blueprint("audit", __name__, url_prefix="/audit")
COLUMNS = ("id", "at", "actor", "action", "target", "reason", "before_hash", "after_hash")
EXPORT_ROWS = 20_000


def wanted() -> dict[str, str | None]:
    """The search as given."""
    return {
        key: fields.text(key, 100, required=False) or None for key in ("actor", "action", "search")
    }


@bp.get("/")
def page() -> str:
    """Entries, newest first, and whether the chain holds."""
    before = fields.integer("before", 0, 10**9, 0)
    search = wanted()
    answer = ask("audit.list", before=before or None, limit=100, **search)
    titles = current_app.extensions.get("filterd_titles", dict)()
    return render_template(
        "audit/page.html",
        items=[
            {**item, "target": audit_object(item, titles), "reason": audit_reason(item)}
            for item in answer["items"]
        ],
        more=answer.get("more"),
        chain=ask("audit.verify"),
        acts=act_titles(),
        search={key: value or "" for key, value in search.items()},
    )


@bp.get("/export.csv")
def export() -> Response:
    """The entries that were searched for, as CSV that a spreadsheet cannot take for formulas."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    search, before, rows = wanted(), None, 0
    while rows < EXPORT_ROWS:
        answer = ask("audit.list", before=before, limit=200, **search)
        for item in answer["items"]:
            writer.writerow([harmless(item.get(column)) for column in COLUMNS])
        rows += len(answer["items"])
        if not answer.get("more") or not answer["items"]:
            break
        before = answer["items"][-1]["id"]
    return Response(
        "\ufeff" + text.getvalue(),
        mimetype="text/csv",
        headers={"Content-Disposition": "attachment; filename=filterd-audit.csv"},
    )


def harmless(value: object) -> str:
    """A cell that no spreadsheet runs as a formula."""
    written = "" if value is None else str(value)
    return "'" + written if written[:1] in {"=", "+", "-", "@", "\t", "\r"} else written
