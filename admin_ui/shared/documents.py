"""Policy documents as values with the words for their ids, parsed once per content.

Owns a small cache by content; the supervisor stays the only owner of the policy itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from filterd.policy import document, taxonomy
from filterd.policy.model import Policy
from filterd.policy.taxonomy import Taxonomy

Files = tuple[tuple[str, str], ...]


def parsed(files: Mapping[str, str], kinds: Mapping[str, str]) -> tuple[Policy, Taxonomy]:
    """The policy and the taxonomy of these texts."""
    return _policy(tuple(sorted(files.items())), tuple(sorted(kinds.items())))


@lru_cache(maxsize=8)
def _policy(files: Files, kinds: Files) -> tuple[Policy, Taxonomy]:
    known = _taxonomy(kinds)
    return document.parse(dict(files), known), known


@lru_cache(maxsize=4)
def _taxonomy(kinds: Files) -> Taxonomy:
    return taxonomy.parse(dict(kinds))


def read(files: Mapping[str, str], kinds: Mapping[str, str]) -> Policy:
    """Another version of the documents, such as a draft; raises PolicyError."""
    return parsed(files, kinds)[0]


def titles(policy: Policy, known: Taxonomy) -> dict[str, dict[str, Any]]:
    """Titles by kind and id, for the templates' `either` filter."""
    return {
        "tiers": {tier.id: tier.title for tier in policy.tiers},
        "categories": {key: kind.title for key, kind in known.categories.items()},
        "services": {key: service.title for key, service in known.services.items()},
        "segments": {part.id: part.title or part.id for part in policy.segments},
    }
