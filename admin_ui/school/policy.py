"""The running policy as the pages see it: parsed once per revision, with the words for its ids.

Owns a small cache by content hash; the supervisor stays the only owner of the policy itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flask import g

from admin_ui.shared.control import ask
from filterd.policy import document, taxonomy
from filterd.policy.model import Policy
from filterd.policy.taxonomy import Taxonomy

Files = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Running:
    """The running policy, what can be told apart, and the titles of every id in it."""

    revision: int
    hash: str
    files: Mapping[str, str]
    policy: Policy
    taxonomy: Taxonomy
    titles: Mapping[str, Mapping[str, Any]]


@lru_cache(maxsize=8)
def _parsed(files: Files, kinds: Files) -> tuple[Policy, Taxonomy]:
    known = _taxonomy(kinds)
    return document.parse(dict(files), known), known


@lru_cache(maxsize=4)
def _taxonomy(kinds: Files) -> Taxonomy:
    return taxonomy.parse(dict(kinds))


def frozen(files: Mapping[str, str]) -> Files:
    """The files in an order and form that can be a cache key."""
    return tuple(sorted(files.items()))


def current() -> Running:
    """The running policy, asked once a request."""
    if "running" not in g:
        answer = ask("policy.get")
        policy, known = _parsed(frozen(answer["files"]), frozen(answer["taxonomy"]))
        g.running = Running(
            answer["revision"], answer["hash"], answer["files"], policy, known,
            titles(policy, known),
        )  # fmt: skip
    running: Running = g.running
    return running


def read(files: Mapping[str, str], known: Taxonomy) -> Policy:
    """Another version of the documents, such as a draft; raises PolicyError."""
    return document.parse(dict(files), known)


def titles(policy: Policy, known: Taxonomy) -> dict[str, dict[str, Any]]:
    """Titles by kind and id, for the templates' `either` filter."""
    return {
        "tiers": {tier.id: tier.title for tier in policy.tiers},
        "categories": {key: kind.title for key, kind in known.categories.items()},
        "services": {key: service.title for key, service in known.services.items()},
        "segments": {part.id: part.title or part.id for part in policy.segments},
    }
