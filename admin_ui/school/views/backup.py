"""Backup and restore: one encrypted archive; a restore shows its difference first."""

from __future__ import annotations

import base64
import binascii

from flask import Blueprint, Response, flash, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from admin_ui.shared import fields
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back

bp = Blueprint("backup", __name__, url_prefix="/backup")
PARTS = ("policy", "accounts", "lists", "contacts")


def part_titles() -> dict[str, str]:
    """The parts of an archive in words."""
    return {
        "policy": _("Policy and its history"),
        "accounts": _("People"),
        "lists": _("State of the lists"),
        "contacts": _("Helplines"),
    }


@bp.get("/")
def page() -> str:
    """The two forms."""
    return render_template("backup/page.html", parts=part_titles(), seen=None, archive="")


@bp.post("/make")
def make() -> Response:
    """Make an archive and hand it over as a file."""
    answer = ask(
        "backup.export",
        passphrase=fields.secret("passphrase"),
        parts=fields.several("parts", PARTS) or list(PARTS),
    )
    return Response(
        base64.b64decode(answer["archive"]),
        mimetype="application/octet-stream",
        headers={"Content-Disposition": f"attachment; filename={answer['file']}"},
    )


def sent() -> str:
    """The archive that was sent, in base64: as a file, or carried along by the second step."""
    kept = request.form.get("archive", "")
    file = request.files.get("file")
    if file is not None and file.filename:
        return base64.b64encode(file.stream.read()).decode("ascii")
    try:
        base64.b64decode(kept, validate=True)
    except binascii.Error:
        kept = ""
    if not kept:
        raise fields.FieldError(_("Choose the archive."))
    return kept


@bp.post("/inspect")
def inspect() -> str:
    """Open an archive and show what restoring it would change; nothing is changed."""
    archive = sent()
    seen = ask("backup.inspect", archive=archive, passphrase=fields.secret("passphrase"))
    return render_template("backup/page.html", parts=part_titles(), seen=seen, archive=archive)


@bp.post("/restore")
def restore() -> BaseResponse:
    """Restore the chosen parts; where that weakens the protection a second person is asked."""
    ask(
        "backup.import",
        archive=sent(),
        passphrase=fields.secret("passphrase"),
        parts=fields.several("parts", PARTS),
        reason=fields.text("reason", 300),
    )
    flash(_("The chosen parts are restored."), "ok")
    return back("/backup/")
