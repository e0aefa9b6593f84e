"""The draft: policy edits of one account that are not applied yet, kept by the supervisor.

Every page that edits the policy goes load → edit (a pure function on the model) → save, and there
is one place where a draft becomes a revision: the preview page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import flash, g

from admin_ui.school.policy import Running, current
from admin_ui.shared.control import ask
from admin_ui.shared.documents import read
from admin_ui.shared.fields import FieldError
from admin_ui.shared.i18n import gettext as _
from filterd.errors import PolicyError
from filterd.policy.diff import Change, diff
from filterd.policy.dump import dump
from filterd.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Draft:
    """What would be applied: its policy, the revision it was made on, and how it differs."""

    policy: Policy
    base: int
    changes: tuple[Change, ...]
    stale: bool


def load() -> Draft:
    """This account's draft, or the running policy as an unchanged draft; asked once a request."""
    if "draft" not in g:
        g.draft = _load(current())
    found: Draft = g.draft
    return found


def _load(running: Running) -> Draft:
    kept = ask("drafts.get") if "edit" in g.permissions else {}
    files = kept.get("files")
    if not files:
        return Draft(running.policy, running.revision, (), False)
    try:
        policy = read(files, running.kinds)
    except PolicyError:
        ask("drafts.drop")
        flash(_("A draft that can no longer be read was dropped."), "warn")
        return Draft(running.policy, running.revision, (), False)
    stale = kept["base"] != running.revision
    return Draft(policy, kept["base"], diff(running.policy, policy, running.taxonomy), stale)


def edit(change: Callable[[Policy], Policy]) -> Draft:
    """Apply a pure edit to the draft and keep it; an unchanged draft is dropped."""
    running, before = current(), load()
    try:
        after = change(before.policy)
        files = dump(after)
        policy = read(files, running.kinds)
    except PolicyError as error:
        raise FieldError("; ".join(problem.message for problem in error.problems)) from None
    changes = diff(running.policy, policy, running.taxonomy)
    if changes:
        ask("drafts.set", files=files, base=before.base)
    else:
        ask("drafts.drop")
    g.draft = Draft(policy, before.base, changes, before.stale)
    found: Draft = g.draft
    return found
