"""The running policy as the console's pages see it, asked once a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import g

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
        answer = ask("policy.get")
        policy, known = documents.parsed(answer["files"], answer["taxonomy"])
        words = documents.titles(policy, known)
        g.running = Running(
            answer["revision"], answer["hash"], answer["taxonomy"], policy, known, words
        )
    running: Running = g.running
    return running
