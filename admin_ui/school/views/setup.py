"""The guided set-up of a new box: school, networks, lists, test. Each step can be come back to."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from ipaddress import ip_network

from flask import Blueprint, flash, render_template, url_for
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from admin_ui.school import draft, edits
from admin_ui.school.policy import current
from admin_ui.shared import fields
from admin_ui.shared.control import ask, ask_all
from admin_ui.shared.i18n import gettext as _
from filterd.policy.model import Policy, Segment, SegmentId, TierId

bp = Blueprint("setup", __name__, url_prefix="/setup")


@bp.get("/")
def page() -> str:
    """The steps with what is done; seen addresses help to name the networks."""
    mine = draft.load()
    real = [part for part in mine.policy.segments if not part.network.is_loopback]
    lists = ask_all("lists.status")["items"]
    seen = ask_all("seen.clients", unknown=True, limit=50)["items"]
    return render_template(
        "setup/page.html",
        draft=mine,
        state=ask("setup.state"),
        named=bool(mine.policy.identity.name),
        identity=mine.policy.identity,
        real=real,
        guesses=unnamed([item["address"] for item in seen], mine.policy.segments),
        tiers=mine.policy.tiers,
        loaded=sum(1 for item in lists if item.get("entries")),
        lists=len(lists),
        titles=current().titles,
    )


def unnamed(addresses: list[str], named: tuple[Segment, ...]) -> list[tuple[str, int]]:
    """The /24 or /64 networks that no segment of the draft names, the busiest first, with how many
    devices were seen there."""
    taken = {str(part.network) for part in named}
    return [each for each in guesses(addresses) if each[0] not in taken]


def guesses(addresses: list[str]) -> list[tuple[str, int]]:
    """The /24 or /64 networks of the addresses with their number, the busiest first."""
    counts: dict[str, int] = {}
    for address in addresses:
        length = 64 if ":" in address else 24
        try:
            found = ip_network(f"{address}/{length}", strict=False)
        except ValueError:
            continue
        if found.is_link_local:
            continue
        network = str(found)
        counts[network] = counts.get(network, 0) + 1
    return sorted(counts.items(), key=lambda row: -row[1])[:10]


@bp.post("/networks")
def networks() -> Response:
    """Each seen network that got a class becomes a segment of the draft."""
    mine = draft.load().policy
    tiers = ("", *(each.id for each in mine.tiers))
    new: list[Segment] = []
    for number in range(10):
        tier = fields.choice(f"tier{number}", tiers, "")
        if not tier:
            continue
        network = ip_network(fields.text(f"network{number}", 64), strict=False)
        title = fields.text(f"title{number}", 80, required=False) or str(network)
        taken = {part.id for part in (*mine.segments, *new)}
        new.append(Segment(segment_id(title, taken), network, TierId(tier), title))
    if not new:
        raise fields.FieldError(_("Choose a class for at least one network."))

    def change(policy: Policy) -> Policy:
        for each in new:
            policy = edits.put_segment(policy, each)
        return policy

    draft.edit(change)
    return redirect(url_for("setup.page") + "#networks", 303)


def segment_id(title: str, taken: set[SegmentId]) -> SegmentId:
    """A short name made of the title (`Phòng máy 3` → `phong-may-3`), unlike those taken."""
    plain = unicodedata.normalize("NFKD", title.lower().replace("đ", "d"))
    words = re.findall(r"[a-z0-9]+", "".join(c for c in plain if not unicodedata.combining(c)))
    stem = "-".join(words)[:36] or "net"
    names = (stem, *(f"{stem}-{number}" for number in range(2, 100)))
    return next(SegmentId(name) for name in names if name not in taken)


@bp.post("/school")
def school() -> Response:
    """Name the school, in the draft."""
    name, key = fields.text("name", 120), fields.text("id", 40, required=False)
    commune = fields.text("commune", 80, required=False)

    def change(policy: Policy) -> Policy:
        identity = replace(policy.identity, name=name, id=key, commune=commune)
        return replace(policy, identity=identity)

    draft.edit(change)
    return redirect(url_for("setup.page") + "#networks", 303)


@bp.post("/done")
def done() -> Response:
    """The set-up is finished; the overview stops pointing here."""
    ask("setup.done")
    flash(_("The set-up is finished. You can come back to every step through the menu."), "ok")
    return redirect(url_for("overview.page"), 303)
