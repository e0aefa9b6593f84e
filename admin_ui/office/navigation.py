"""The office's menu and the words that many of its pages use."""

from __future__ import annotations

from typing import Any

from flask import g, request, url_for
from werkzeug.exceptions import BadRequest

from admin_ui.office.access import may, office
from admin_ui.office.methods import current
from admin_ui.office.queries import newest_month
from admin_ui.shared.i18n import either, language
from admin_ui.shared.i18n import gettext as _
from filterd.evidence.decision import TITLES, Status
from filterd.evidence.method import Method
from filterd.evidence.report.words import both

KIND = {
    "met": "ok", "conditional": "accent", "not_met": "bad", "insufficient": "warn",
    "not_deployed": "",
}  # fmt: skip
SYMBOL = {
    "met": "check", "conditional": "shield", "not_met": "cross", "insufficient": "alert",
    "not_deployed": "pause",
}  # fmt: skip


def sections() -> list[tuple[str, list[tuple[str, str, str]]]]:
    """(heading, [(endpoint, icon, title)])."""
    return [
        (_("Province"), [
            ("overview.page", "home", _("Overview")),
            ("communes.page", "grid", _("Communes")),
            ("schools.page", "list", _("Schools")),
            ("compare.page", "undo", _("Compare months")),
            ("report.page", "file", _("Annual report")),
        ]),
        (_("Care"), [
            ("refusals.page", "alert", _("Refused summaries")),
            ("publish.page", "bolt", _("Publish to schools")),
            ("awareness.page", "users", _("Awareness sessions")),
            ("register.page", "archive", _("Register of schools")),
        ]),
        (_("Accountability"), [
            ("audit.page", "book", _("Audit log")),
            ("people.page", "user", _("People")),
        ]),
    ]  # fmt: skip


def menu() -> list[dict[str, Any]]:
    """The sections with the entries that this account may open."""
    here = (request.endpoint or "").split(".")[0]
    here = {"school": "schools"}.get(here, here)
    shown = []
    for heading, entries in sections():
        items = [
            {"url": url_for(endpoint), "icon": icon, "title": title, "count": 0,
             "current": endpoint.split(".")[0] == here}
            for endpoint, icon, title in entries
            if may(endpoint)
        ]  # fmt: skip
        if items:
            shown.append({"heading": heading, "items": items})
    return shown


def roles() -> dict[str, str]:
    """The roles in words; teacher is a role of schools only."""
    return {
        "viewer": _("Commune viewer"),
        "inspector": _("Inspector"),
        "administrator": _("Office administrator"),
        "approver": _("Head of the office"),
    }


def month_wanted() -> str:
    """The month of this page; the current one when none is asked for."""
    wanted = request.args.get("month") or newest_month(office())
    year, _dash, number = wanted.partition("-")
    if not (len(year) == 4 and year.isdigit() and number.isdigit() and len(number) == 2):
        raise BadRequest
    if not 1 <= int(number) <= 12:
        raise BadRequest
    return wanted


def month_title(month: str) -> str:
    """2026-11 as 11/2026."""
    return f"{month[5:7]}/{month[:4]}"


def basis_points(value: int | None) -> str:
    """9950 as 99,50 %; the words for "not measurable" when there is no value."""
    if value is None:
        return _("not measurable")
    return decimal(f"{value // 100},{value % 100:02d} %")


def decimal(text: str) -> str:
    """A figure with a decimal comma as this request's language writes it."""
    return text if language() == "vi" else text.replace(",", ".")


def status_titles() -> dict[str, str]:
    """The five statuses in this request's language."""
    return {status.value: either(TITLES[status]) for status in Status}


def method_in_force() -> Method:
    """What judges this month; asked of the database once a page."""
    if "method" not in g:
        g.method = current(office())
    found: Method = g.method
    return found


def indicator_titles() -> dict[str, str]:
    """Indicators by id."""
    return {id: either(each.title) for id, each in method_in_force().thresholds.items()}


def why(code: str) -> str:
    """The reason of an indicator's verdict in words, as the school's own report says it."""
    return either(both(f"reason_{code}"))


def context() -> dict[str, Any]:
    """What the office's templates know besides the shared frame."""
    return {
        "account": g.get("account"), "may": may, "menu": menu, "role_titles": roles,
        "status_titles": status_titles, "indicator_titles": indicator_titles,
        "status_kind": KIND, "status_symbol": SYMBOL, "method": method_in_force(),
    }  # fmt: skip
