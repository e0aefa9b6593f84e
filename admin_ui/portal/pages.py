"""The portal's pages: block page, why, this device, request form, helplines, notice to parents.

The address of a visitor is passed on for the tier and the rate limit, and kept nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin_ui.portal import words
from admin_ui.shared import documents, fields, i18n
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.security import PUBLIC
from filterd.errors import ControlError

bp = Blueprint("portal", __name__)
ACCESS: Mapping[str, str] = {
    f"portal.{name}": PUBLIC
    for name in ("home", "why", "device", "form", "send", "help_lines", "notice", "anything")
}
METHODS = ["GET", "HEAD", "POST"]


def admit(needed: str) -> Response | None:
    """Everybody on the school's network may open every page here."""
    g.permissions = frozenset()
    return None


def visitor() -> dict[str, Any]:
    """This device's tier and the state of the filter."""
    return ask("portal.device", address=request.remote_addr or "")


def own_host() -> bool:
    """Whether the browser asked for the portal itself and not for a blocked name."""
    host = request.host.rsplit(":", 1)[0].strip("[]") if request.host else ""
    if host in {"", "localhost"} or host.endswith((".lan", ".local", ".internal", ".home.arpa")):
        return True
    try:
        ip_address(host)
    except ValueError:
        return "." not in host
    return True


def written_name() -> str:
    """The name asked about: `ten`, also as a pasted address."""
    written = fields.text("ten", 300, required=False)
    return (urlsplit(written).hostname or "") if "//" in written else written.split("/")[0]


@bp.get("/")
def home() -> str | Response:
    """The start page; under a blocked name, the block page."""
    if not own_host():
        return blocked(request.host.rsplit(":", 1)[0])
    return render_template("portal/home.html", device=visitor())


def blocked(name: str) -> Response:
    """The block page for a name that the browser was led away from."""
    return make_response(page_for(name, "portal/blocked.html"), 403)


def page_for(name: str, template: str) -> str:
    """A page that explains the verdict on a name for this device's tier."""
    device = visitor()
    try:
        found = ask("portal.why", address=request.remote_addr or "", name=name) if name else None
    except ControlError as error:
        if error.code not in {"invalid", "not_found"}:
            raise
        found = None
    key = found.get("category") if found else None
    young = device["tier"] in words.YOUNG
    return render_template(
        template,
        name=name,
        found=found,
        device=device,
        young=young,
        category=words.category(key),
        reason=words.reason(key, young),
        contacts=ask("contacts.get")["items"],
    )


@bp.get("/vi-sao")
def why() -> str:
    """“Why is X blocked?” for anyone on the school's network."""
    return page_for(written_name(), "portal/why.html")


@bp.get("/kiem-tra")
def device() -> str:
    """This device: its tier, the policy's fingerprint, the ages of the lists; with an inspector's
    code (`ma`), twelve canaries on this tier's path, signed."""
    nonce = fields.text("ma", 64, required=False)
    address = request.remote_addr or ""
    proof, refused = None, ""
    if nonce:
        try:
            proof = ask("evidence.challenge", nonce=nonce, address=address)
        except ControlError as error:
            refused = i18n.either({"vi": getattr(error, "vi", str(error)), "en": str(error)})
    return render_template(
        "portal/device.html", device=visitor(), address=address, nonce=nonce, refused=refused,
        proof=proof, said=json.loads(proof["body"]) if proof else None,
    )  # fmt: skip


@bp.get("/yeu-cau")
def form() -> str:
    """The form: ask to open, or report. No field for a person."""
    kind = request.args.get("loai", "unblock")
    return render_template("portal/form.html", name=written_name(), kind=kind, sent=None)


@bp.post("/yeu-cau")
def send() -> Response:
    """Leave a request; the supervisor limits how many come from one place."""
    answer = ask(
        "tickets.submit",
        type=fields.choice("loai", ("unblock", "harmful", "other")),
        name=fields.text("ten", 300),
        note=fields.text("ghi_chu", 500, required=False, lines=True),
        address=request.remote_addr or "",
    )
    return make_response(render_template("portal/form.html", name="", kind="unblock", sent=answer))


@bp.get("/tro-giup")
def help_lines() -> str:
    """Numbers and links where a child finds help."""
    return render_template("portal/help.html", contacts=ask("contacts.get")["items"])


@bp.get("/thong-bao")
def notice() -> str:
    """The notice to parents, from the running policy, for printing."""
    answer = ask("portal.notice")
    # The supervisor keeps `school.yaml` to itself: it names devices and people.
    tiers_only = {"school.yaml": "", **answer["files"]}
    policy, known = documents.parsed(tiers_only, answer["taxonomy"])
    pupils = [tier for tier in policy.tiers if tier.pupils]
    pupils.sort(key=lambda tier: (not tier.allow_only, -len(tier.blocked)))
    return render_template(
        "portal/notice.html",
        answer=answer,
        tiers=pupils,
        titles=documents.titles(policy, known),
        locked=[key for key, kind in known.categories.items() if kind.floor != "none"],
        contacts=ask("contacts.get")["items"],
        today=i18n.date_and_time(answer["at"])[:10],
    )


@bp.route("/<path:anything>", methods=METHODS)
def anything(anything: str) -> Response:
    """Any other path: the block page under a blocked name, else to the start page."""
    if own_host():
        return redirect(url_for("portal.home"), 303)
    if request.method == "POST":
        return make_response(_("Blocked by the school's filter."), 403)
    return blocked(request.host.rsplit(":", 1)[0])
