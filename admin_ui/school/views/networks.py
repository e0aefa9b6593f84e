"""Networks and devices: which network is which tier, what was seen, CSV in and out.

What was seen lives in the supervisor's memory only; unknown devices come first.
"""

from __future__ import annotations

import csv
import io
from ipaddress import ip_network

from flask import Blueprint, Response, flash, g, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from admin_ui.school import draft, edits
from admin_ui.school.policy import current
from admin_ui.school.views.audit import harmless
from admin_ui.shared import fields
from admin_ui.shared.control import ask_all
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back
from filterd.policy.model import Device, Segment, SegmentId, TierId

bp = Blueprint("networks", __name__, url_prefix="/networks")
SHOWN = 100


@bp.get("/")
def page() -> str:
    """Segments of the draft, devices of the draft (a page of them), devices seen."""
    mine = draft.load()
    search = fields.text("search", 100, required=False)
    start = fields.integer("from", 0, 10**6, 0)
    needle = search.casefold()
    known = [
        item for item in mine.policy.devices if needle in f"{item.key} {item.title}".casefold()
    ]
    seen = ask_all("seen.clients", search=search or None, limit=SHOWN)
    return render_template(
        "networks/page.html",
        draft=mine,
        devices=known[start : start + SHOWN],
        total=len(known),
        start=start,
        step=SHOWN,
        seen=seen["items"],
        clients={row["segment"]: row["clients"] for row in seen.get("segments", [])},
        search=search,
        titles=current().titles,
        tiers=mine.policy.tiers,
        editable="edit" in g.permissions,
    )


def tier() -> TierId:
    """The chosen tier."""
    return TierId(fields.choice("tier", tuple(t.id for t in draft.load().policy.tiers)))


@bp.post("/segment")
def segment() -> BaseResponse:
    """Add or replace a segment in the draft."""
    try:
        network = ip_network(fields.text("network", 64), strict=False)
    except ValueError:
        raise fields.FieldError(_("A network looks like 10.1.0.0/16 or fd00:1::/64.")) from None
    vlan = fields.integer("vlan", 0, 4094, 0) or None
    key = SegmentId(fields.text("id", 40).lower().replace(" ", "-"))
    new = Segment(key, network, tier(), fields.text("title", 80, required=False), vlan)
    draft.edit(lambda policy: edits.put_segment(policy, new))
    return back()


@bp.post("/segment/remove")
def drop_segment() -> BaseResponse:
    """Take a segment out of the draft."""
    key = fields.text("id", 80)
    draft.edit(lambda policy: edits.drop_segment(policy, key))
    return back()


@bp.post("/device")
def device() -> BaseResponse:
    """Give a device its own tier in the draft."""
    new = Device(
        fields.text("key", 80).lower().replace("-", ":"),
        tier(),
        fields.text("title", 80, required=False),
    )
    draft.edit(lambda policy: edits.put_devices(policy, (new,)))
    return back()


@bp.post("/device/remove")
def drop_device() -> BaseResponse:
    """Take a device out of the draft."""
    key = fields.text("key", 80)
    draft.edit(lambda policy: edits.drop_device(policy, key))
    return back()


@bp.get("/devices.csv")
def export() -> Response:
    """All devices of the running policy as CSV."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["key", "tier", "title"])
    for item in current().policy.devices:
        writer.writerow([item.key, item.tier, harmless(item.title)])
    return Response(
        "\ufeff" + text.getvalue(),
        mimetype="text/csv",
        headers={"Content-Disposition": "attachment; filename=filterd-devices.csv"},
    )


@bp.post("/devices.csv")
def load() -> BaseResponse:
    """Devices from a CSV file into the draft; every bad line is named, none is guessed."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        raise fields.FieldError(_("Choose a CSV file."))
    try:
        text = sent.stream.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise fields.FieldError(_("The file is not in UTF-8.")) from None
    devices = tuple(row(number, cells) for number, cells in rows(text))
    if not devices:
        raise fields.FieldError(_("The file holds no device."))
    draft.edit(lambda policy: edits.put_devices(policy, devices))
    flash(_("%(n)s devices are in your draft.", n=len(devices)), "ok")
    return back()


def rows(text: str) -> list[tuple[int, list[str]]]:
    """The lines of the file with their numbers, without heading and empty lines."""
    found = [
        (number, cells) for number, cells in enumerate(csv.reader(io.StringIO(text)), 1) if cells
    ]
    return [(number, cells) for number, cells in found if cells[0].strip().lower() != "key"]


def row(number: int, cells: list[str]) -> Device:
    """One device of the file: key, tier, title."""
    tiers = {each.id for each in draft.load().policy.tiers}
    cells = [fields.clean(cell, lines=False) for cell in [*cells, "", ""]]
    if cells[1] not in tiers:
        raise fields.FieldError(
            _("Line %(n)s: there is no tier “%(tier)s”.", n=number, tier=cells[1][:40])
        )
    return Device(cells[0].lower().replace("-", ":"), TierId(cells[1]), cells[2][:80].lstrip("'"))
