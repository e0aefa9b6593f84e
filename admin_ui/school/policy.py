"""The running policy as the console's pages see it: asked once a request, by its hash.

Keeps the last one in the process; the supervisor stays the only owner of the policy itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from flask import current_app, g

from admin_ui.shared import documents
from admin_ui.shared.control import ask
from filterd.policy.model import Policy
from filterd.policy.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class Running:
    """The running policy, what can be told apart, and the titles of every id in it."""

    revision: int
    hash: str
    kinds: Mapping[str, str]
    policy: Policy
    taxonomy: Taxonomy
    titles: Mapping[str, Mapping[str, Any]]


def current() -> Running:
    """The running policy."""
    if "running" not in g:
        kept: Running | None = current_app.extensions.get("filterd_running")
        answer = ask("policy.get", have=kept.hash if kept else None)
        if kept and "files" not in answer:
            g.running = replace(kept, revision=answer["revision"])
            return cast(Running, g.running)
        policy, known = documents.parsed(answer["files"], answer["taxonomy"])
        words = documents.titles(policy, known)
        g.running = Running(
            answer["revision"], answer["hash"], answer["taxonomy"], policy, known, words
        )
        current_app.extensions["filterd_running"] = g.running
    running: Running = g.running
    return running
