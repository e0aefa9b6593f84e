"""The console's menu: which pages there are, in which order, with the counts that wait."""

from __future__ import annotations

import time
from typing import Any

from flask import Response, current_app, g, request, url_for

from admin_ui.school.access import may
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from filterd.errors import ControlError

FRESH = 2.0


def sections() -> list[tuple[str, list[tuple[str, str, str, str]]]]:
    """(heading, [(endpoint, icon, title, name of its count)])."""
    return [
        (_("Protection"), [
            ("overview.page", "home", _("Overview"), ""),
            ("tiers.page", "grid", _("Age tiers"), ""),
            ("schedule.page", "clock", _("Schedule"), ""),
            ("overrides.page", "bolt", _("Open or close now"), ""),
            ("names.page", "search", _("Test a name"), ""),
        ]),
        (_("Care"), [
            ("tickets.page", "inbox", _("Requests and reports"), "tickets"),
            ("approvals.page", "check", _("Second approval"), "approvals"),
            ("lists.page", "list", _("Blocklists"), "quarantined"),
            ("networks.page", "network", _("Networks and devices"), "unknown"),
        ]),
        (_("Accountability"), [
            ("evidence.page", "shield", _("Evidence"), ""),
            ("history.page", "undo", _("Policy history"), ""),
            ("audit.page", "book", _("Audit log"), ""),
            ("people.page", "users", _("People"), ""),
            ("backup.page", "archive", _("Backup"), ""),
            ("tail.page", "eye", _("Debug view"), ""),
            ("tokens.page", "code", _("API"), ""),
        ]),
    ]  # fmt: skip


def status() -> dict[str, Any]:
    """The state of the filter for the frame of a page, at most `FRESH` seconds old.

    Empty when filterd does not answer. It is the same for everybody who may open a page at all.
    """
    if "status" not in g:
        kept = current_app.extensions.get("filterd_status", (0.0, {}))
        g.status = kept[1] if time.monotonic() - kept[0] < FRESH else fresh_status()
    return dict(g.status)


def fresh_status() -> dict[str, Any]:
    """The state of the filter now."""
    try:
        g.status = ask("status.get")
    except ControlError:
        g.status = {}
    current_app.extensions["filterd_status"] = (time.monotonic(), g.status)
    return dict(g.status)


def forget(answer: Response) -> Response:
    """After whatever may have changed something, the next page asks anew."""
    if request.method == "POST":
        current_app.extensions.pop("filterd_status", None)
    return answer


def menu() -> list[dict[str, Any]]:
    """The sections with the entries that this account may open."""
    counts = status().get("decisions", {})
    here = (request.endpoint or "").split(".")[0]
    shown = []
    for heading, entries in sections():
        items = [
            {
                "url": url_for(endpoint),
                "icon": icon,
                "title": title,
                "count": counts.get(count) or 0,
                "current": endpoint.split(".")[0] == here,
            }
            for endpoint, icon, title, count in entries
            if may(endpoint)
        ]
        if items:
            shown.append({"heading": heading, "items": items})
    return shown


def roles() -> dict[str, str]:
    """The roles in words."""
    return {
        "viewer": _("Viewer"),
        "teacher": _("Teacher"),
        "administrator": _("Administrator"),
        "approver": _("Approver (head)"),
        "inspector": _("Inspector"),
    }


def context() -> dict[str, Any]:
    """What the console's templates know besides the shared frame."""
    return {
        "account": g.get("account"),
        "may": may,
        "menu": menu,
        "status": status,
        "role_titles": roles,
    }
