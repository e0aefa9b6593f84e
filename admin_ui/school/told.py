"""What filterd keeps in words of its own (reasons, audit objects, licences, browsers), in the
reader’s. What people typed stays as they typed it; knows no request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from admin_ui.school.acts import act_titles
from admin_ui.school.navigation import roles
from admin_ui.shared.i18n import either
from admin_ui.shared.i18n import gettext as _

_BROWSERS = (
    ("Edg", "Edge"), ("OPR", "Opera"), ("coc_coc", "Cốc Cốc"), ("Firefox", "Firefox"),
    ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
"""Mark in the text that browsers send → name; the marks of the special ones come first."""
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
    ("CrOS", "ChromeOS"), ("Mac OS X", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


def own_reason(text: Any) -> str:
    """A reason: filterd's own are written in both languages, people's as they wrote them."""
    written = {
        "lần chạy đầu / first start": _("first start"),
        "khôi phục bản đang chạy / the last policy restored": _("the last policy restored"),
    }
    return written.get(str(text or ""), str(text or ""))


def browser(agent: Any) -> str:
    """“Chrome · Windows” of the long text that browsers send; that text where neither is known."""
    text = str(agent or "")
    name = next((name for mark, name in _BROWSERS if mark in text), "")
    system = next((name for mark, name in _SYSTEMS if mark in text), "")
    return " · ".join(filter(None, (name, system))) or text[:60] or "–"


def licence(text: Any) -> str:
    """A licence as its source states it; remarks of the catalogue in the reader's language."""
    remarks = {
        "abuse.ch terms of use": _("abuse.ch terms of use"),
        "to be confirmed with the author": _("to be confirmed with the author"),
        "of the copy; the licence of the names is not stated": _(
            "of the copy; the licence of the names is not stated"
        ),
    }
    written = str(text or "–")
    for remark, words in remarks.items():
        written = written.replace(remark, words)
    return written


def audit_object(item: Mapping[str, Any], titles: Mapping[str, Any]) -> str:
    """What an act was about: a revision, a method that waits, a category, or a name as it is."""
    target = str(item.get("target") or "")
    if found := re.fullmatch(r"revision (\d+)", target):
        return _("revision %(n)s", n=found[1])
    known = act_titles().get(target) or titles.get("categories", {}).get(target)
    return either(known) if known else target


def audit_reason(item: Mapping[str, Any]) -> str:
    """Why, or with what: roles, fields and decisions of filterd's in words."""
    reason, action = str(item.get("reason") or ""), item.get("action")
    if action == "people.add":
        return roles().get(reason, reason)
    if action == "people.role":
        return " → ".join(roles().get(part, part) for part in reason.split(" → "))
    if action == "people.set":
        return ", ".join(columns().get(part, part) for part in reason.split(", "))
    decision, colon, why = reason.partition(": ")
    if action == "tickets.decide" and colon:
        return f"{decision_titles().get(decision, decision)}: {why}"
    return own_reason(reason)


def decision_titles() -> dict[str, str]:
    """How a request was decided."""
    return {
        "accepted": _("agreed"),
        "refused": _("not agreed"),
        "passed_on": _("passed on"),
    }


def columns() -> dict[str, str]:
    """What of an account was changed."""
    return {
        "title": _("name shown"),
        "role": _("role"),
        "segments": _("networks"),
        "language": _("language"),
        "locked": _("locked"),
    }
