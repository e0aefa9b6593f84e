"""Lists of schools as files: CSV, XLSX, PDF. No cell can run as a formula."""

from __future__ import annotations

import csv
import io
from typing import Any

from flask import Response, abort, render_template
from openpyxl import Workbook
from openpyxl.styles import Font

from admin_ui.office.navigation import month_title, status_titles
from admin_ui.school.views.audit import harmless
from admin_ui.shared.i18n import gettext as _

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def rows(items: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Headings and lines of a list of schools."""
    titles = status_titles()
    head = [_("Code"), _("School"), _("Commune"), _("Status"), _("Held back by"),
            _("Days received"), _("Last day")]  # fmt: skip
    lines = [
        [
            each["id"], each["name"], each["commune_name"] or each["commune"],
            titles[each["status"]],
            ", ".join(sorted({reason["indicator"] for reason in each["reasons"]})),
            str(each["days"] or 0), each["last_day"] or "",
        ]
        for each in items
    ]  # fmt: skip
    return head, lines


def schools(items: list[dict[str, Any]], month: str, form: str) -> Response:
    """The list in one of the three forms; anything else is not there."""
    head, lines = rows(items)
    name = f"filterd-{month}.{form}"
    if form == "csv":
        return attachment(as_csv(head, lines), "text/csv", name)
    if form == "xlsx":
        return attachment(as_xlsx(head, lines, month), XLSX, name)
    if form != "pdf":
        abort(404)
    page = render_template("schools/print.html", head=head, lines=lines, month=month)
    return attachment(pdf(page), "application/pdf", name)


def as_csv(head: list[str], lines: list[list[str]]) -> bytes:
    """UTF-8 with the mark that spreadsheets need."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows([harmless(cell) for cell in line] for line in lines)
    return ("\ufeff" + text.getvalue()).encode()


def as_xlsx(head: list[str], lines: list[list[str]], month: str) -> bytes:
    """One sheet; every cell is text."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = month_title(month).replace("/", "-")
    sheet.append(head)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for line in lines:
        sheet.append([harmless(cell) for cell in line])
    for letter, width in zip("ABCDEFG", (16, 42, 26, 24, 24, 14, 14), strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = "A2"
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def pdf(page: str) -> bytes:
    """A page as PDF; nothing is fetched while it is drawn."""
    from weasyprint import HTML  # loads Pango: only where a PDF is asked for

    return bytes(HTML(string=page, url_fetcher=_nothing).write_pdf())


def _nothing(url: str, *_rest: object, **_more: object) -> dict[str, object]:
    raise ValueError(f"a report fetches nothing: {url[:80]}")


def attachment(content: bytes, kind: str, name: str) -> Response:
    """A download."""
    disposition = {"Content-Disposition": f"attachment; filename={name}"}
    return Response(content, mimetype=kind, headers=disposition)
