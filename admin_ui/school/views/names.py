"""Test a name: all tiers side by side, with the rule behind each verdict and how to change it."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, render_template, request

from admin_ui.school.policy import current
from admin_ui.shared import fields
from admin_ui.shared.control import ask
from filterd.errors import ControlError

bp = Blueprint("names", __name__, url_prefix="/test")
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
    )
