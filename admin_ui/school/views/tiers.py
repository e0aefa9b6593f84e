"""The matrix: every tier and category (and service) on one screen, edited into the draft."""

from __future__ import annotations

from flask import Blueprint, g, render_template, request, url_for
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from admin_ui.school import draft, edits
from admin_ui.school.policy import current
from admin_ui.shared.i18n import gettext as _
from filterd.policy.model import Action, CategoryId, YouTube

bp = Blueprint("tiers", __name__, url_prefix="/tiers")
GROUPS = (
    ("law", ("csam", "authority", "extremism")),
    ("safety", ("malware", "phishing", "bypass")),
    ("harm", ("porn", "gambling", "self_harm", "violence", "drugs", "hate", "dating", "piracy")),
    ("time", ("games", "social", "video", "chat", "genai", "shopping", "ads")),
)
"""How the rows are grouped on the screen; a category of a newer taxonomy joins the last group."""


@bp.get("/")
def page() -> str:
    """The matrix of the draft; `open` names the categories whose services are shown."""
    running, mine = current(), draft.load()
    return render_template(
        "tiers/page.html",
        running=running.policy,
        draft=mine,
        known=running.taxonomy,
        titles=running.titles,
        groups=rows(tuple(running.taxonomy.categories)),
        open=frozenset(request.args.getlist("open")),
        marks={tier.id: edits.scheduled(tier) for tier in mine.policy.tiers},
        old={tier.id: tier for tier in running.policy.tiers},
        locked=edits.locked,
        service_word=edits.service_word,
        actions=tuple(Action),
        youtube=tuple(YouTube),
        editable="edit" in g.permissions,
    )


def rows(known: tuple[CategoryId, ...]) -> list[tuple[str, list[CategoryId]]]:
    """The categories under their headings."""
    titles = {
        "law": _("Against the law"),
        "safety": _("Safety of devices and of the filter"),
        "harm": _("Harmful to pupils"),
        "time": _("Time and attention"),
    }
    named = {key for _group, keys in GROUPS for key in keys}
    found = [(titles[group], [key for key in known if key in keys]) for group, keys in GROUPS]
    found[-1][1].extend(key for key in known if key not in named)
    return found


@bp.post("/")
def save() -> Response:
    """Keep the form as the draft; the button pressed says where to go next."""
    known = current().taxonomy
    form = request.form
    shown = frozenset(form.getlist("shown"))
    draft.edit(lambda policy: edits.matrix(policy, known, form, shown))
    opened = set(shown)
    if form.get("toggle"):
        opened ^= {form["toggle"]}
        target = url_for("tiers.page", open=sorted(opened)) + f"#row-{form['toggle']}"
        return redirect(target, 303)
    return redirect(url_for("preview.page"), 303)
