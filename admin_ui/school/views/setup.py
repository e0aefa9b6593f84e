"""The guided set-up of a new box: school, networks, lists, test. Each step can be come back to."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from flask import Blueprint, flash, render_template, url_for
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from admin_ui.school import draft
from admin_ui.school.policy import current
from admin_ui.shared import fields
from admin_ui.shared.control import ask, ask_all
from admin_ui.shared.i18n import gettext as _
from filterd.policy.model import Policy

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
        guesses=guesses([item["address"] for item in seen]),
        loaded=sum(1 for item in lists if item.get("entries")),
        lists=len(lists),
        titles=current().titles,
    )


def guesses(addresses: list[str]) -> list[str]:
    """The /24 or /64 networks of addresses in no segment, the busiest first."""
    counts: dict[str, int] = {}
    for address in addresses:
        length = 64 if ":" in address else 24
        try:
            network = str(ip_network(f"{address}/{length}", strict=False))
        except ValueError:
            continue
        counts[network] = counts.get(network, 0) + 1
    return sorted(counts, key=lambda network: -counts[network])[:10]


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
