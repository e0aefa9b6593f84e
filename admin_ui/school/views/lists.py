"""Blocklists: what is loaded, how old it is, and what waits in quarantine for a decision."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, g, render_template, request, url_for
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from admin_ui.school.held import reason_in_words
from admin_ui.school.policy import current
from admin_ui.school.unused import sample_in_words, unused_titles
from admin_ui.shared import fields
from admin_ui.shared.control import ask, ask_all
from admin_ui.shared.i18n import either
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.web import back

bp = Blueprint("lists", __name__, url_prefix="/lists")
FORMATS = (
    "auto", "hosts", "domains", "wildcard", "adblock", "rpz", "dnsmasq", "ut1", "regex",
)  # fmt: skip
SHOWN = 60
STATES = ("", "fresh", "stale", "failed", "quarantined", "never", "off")


@bp.get("/")
def page() -> str:
    """The catalogue with search; lists that need a decision come first."""
    search = fields.text("search", 80, required=False)
    wanted = fields.choice("state", STATES, "")
    category = fields.text("category", 40, required=False)
    items = [
        item
        for item in ask_all("lists.status")["items"]
        if (not wanted or item["state"] == wanted)
        and (not category or item["category"] == category)
        and search.casefold() in f"{either(item['title'])} {item['id']} {item['url']}".casefold()
    ]
    start = fields.integer("from", 0, 100_000, 0)
    urgent = {"quarantined": 0, "failed": 1, "stale": 2}
    items.sort(key=lambda item: (urgent.get(item["state"], 3), not item["enabled"]))
    return render_template(
        "lists/page.html", items=items[start : start + SHOWN], more=len(items) > start + SHOWN,
        start=start, step=SHOWN, search=search, state=wanted, category=category,
        states=STATES, formats=FORMATS, titles=current().titles, state_titles=state_titles(),
    )  # fmt: skip


def state_titles() -> dict[str, str]:
    """States of a list in words."""
    return {
        "fresh": _("fresh"),
        "stale": _("old"),
        "failed": _("failed"),
        "quarantined": _("quarantine"),
        "never": _("not loaded yet"),
        "off": _("off"),
    }


@bp.get("/<key>")
def one(key: str) -> str:
    """One list: numbers, versions, what was dropped, overlap, and the decision in quarantine."""
    item = next((item for item in ask_all("lists.status")["items"] if item["id"] == key), None)
    if item is None:
        abort(404)
    return render_template(
        "lists/one.html",
        item=item,
        overlap=overlap(key) if item["entries"] and "edit" in g.permissions else [],
        titles=current().titles,
        state_titles=state_titles(),
        unused=unused_titles(),
        samples_said=[sample_in_words(each) for each in (item.get("samples") or ())[:5]],
        reasons=[reason_in_words(each) for each in (item["quarantine"] or {}).get("reasons", ())],
    )


def overlap(key: str) -> list[tuple[str, int]]:
    """The lists that share names with this one, the most first."""
    answer: dict[str, Any] = ask_all("lists.overlap")
    ids = answer.get("ids", [])
    if key not in ids:
        return []
    row = answer["shared"][ids.index(key)]
    pairs = [
        (other, count) for other, count in zip(ids, row, strict=True) if other != key and count
    ]
    return sorted(pairs, key=lambda pair: -pair[1])[:8]


@bp.post("/update")
def update() -> Response:
    """Fetch one list, or all of them, now."""
    key = fields.text("id", 80, required=False)
    ask("lists.update", ids=[key] if key else [])
    flash(_("The update has begun; filtering goes on with the lists it has."), "ok")
    return back()


@bp.post("/<key>/approve")
def approve(key: str) -> Response:
    """Let a quarantined update in."""
    ask("lists.approve", id=key, reason=fields.text("reason", 300))
    flash(_("The update is running."), "ok")
    return back()


@bp.post("/<key>/refuse")
def refuse(key: str) -> Response:
    """Throw a quarantined update away; the last good list stays."""
    ask("lists.refuse", id=key, reason=fields.text("reason", 300))
    flash(_("The update was refused; the last good list stays."), "ok")
    return back()


@bp.post("/<key>/rollback")
def rollback(key: str) -> Response:
    """Go back to an older version of a list."""
    ask("lists.rollback", id=key, version=request.form.get("version") or None,
        reason=fields.text("reason", 300))  # fmt: skip
    flash(_("The older version is running."), "ok")
    return back()


@bp.post("/<key>/enable")
def enable(key: str) -> Response:
    """Turn a list on or off."""
    turn_on = fields.choice("enabled", ("yes", "no")) == "yes"
    ask("lists.set_enabled", id=key, enabled=turn_on, reason=fields.text("reason", 300))
    flash(_("The list is on.") if turn_on else _("The list is off."), "ok")
    return back()


@bp.post("/<key>/remove")
def remove(key: str) -> Response:
    """Remove a list that the school added."""
    ask("lists.remove_source", id=key, reason=fields.text("reason", 300))
    flash(_("The list is removed."), "ok")
    return redirect(url_for("lists.page"), 303)


@bp.post("/add")
def add() -> Response:
    """Subscribe to a list by its address."""
    categories = tuple(current().taxonomy.categories)
    answer = ask(
        "lists.add_source",
        title=fields.text("title", 120),
        url=fields.text("url", 500),
        category=fields.choice("category", categories),
        format=fields.choice("format", FORMATS, "auto"),
        match=fields.choice("match", ("subtree", "exact"), "subtree"),
        licence=fields.text("licence", 80, required=False) or None,
    )
    flash(_("The list is added and will be fetched now."), "ok")
    return redirect(url_for("lists.one", key=answer["id"]), 303)
