"""Test a name: all tiers side by side, with the rule behind each verdict and how to change it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, flash, render_template, request
from werkzeug.wrappers import Response

from admin_ui.school.policy import current
from admin_ui.shared import fields
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back
from filterd.errors import ControlError

bp = Blueprint("names", __name__, url_prefix="/test")
WITHOUT_EXCEPTION = frozenset({"csam", "authority"})
TYPES = ("A", "AAAA", "HTTPS", "CNAME", "MX", "TXT")


def host(written: str) -> str:
    """The name in what somebody pasted: a URL, a name with a port, or a name."""
    if "//" in written:
        return urlsplit(written).hostname or written
    return written.split("/")[0].split("@")[-1].rsplit(":", 1)[0] if ":" in written else (
        written.split("/")[0]
    )  # fmt: skip


@bp.get("/")
def page() -> str:
    """The form, and the verdicts when a name is given."""
    written = fields.text("name", 2000, required=False)
    kind = fields.choice("type", TYPES, "A")
    at = fields.local_time("at") if request.args.get("at") else None
    found, refusal = None, None
    if written:
        try:
            found = ask("explain", name=host(written), type=kind, at=at.isoformat() if at else None)
        except ControlError as error:
            if error.code != "invalid":
                raise
            refusal = error
    return render_template(
        "names/page.html",
        name=written,
        type=kind,
        at=request.args.get("at", ""),
        types=TYPES,
        found=found,
        refusal=refusal,
        titles=current().titles,
        floored=floored(found) if found else [],
    )


def floored(found: dict[str, Any]) -> list[str]:
    """The tiers whose floor blocks the name by a list that may be wrong."""
    return [
        row["tier"]
        for row in found["verdicts"]
        if str(row["step"]).startswith("floor") and row["category"] not in WITHOUT_EXCEPTION
    ]


@bp.post("/exception")
def exception() -> Response:
    """Ask a second person to open one wrongly listed name for some days."""
    ask(
        "exceptions.add",
        name=fields.text("name", 253),
        days=fields.integer("days", 1, 30, 7),
        tiers=fields.several("tiers", tuple(tier.id for tier in current().policy.tiers)),
        reason=fields.text("reason", 300),
    )
    flash(_("It is running."), "ok")
    return back()
