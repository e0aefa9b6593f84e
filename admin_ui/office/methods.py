"""The versions of the method at this office: the shipped ones and its own, each with its dates.

Owns the setting `methods`. An office's version is added once and never changed: months were judged
by it. It reaches the schools with the next release, before it begins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from admin_ui.office import kept
from admin_ui.office.database import Office
from filterd.errors import EvidenceError
from filterd.evidence.method import Method
from filterd.evidence.versions import Versions, checked, of_texts, shipped_texts

_KEY = "methods"


def texts(office: Office) -> Mapping[str, str]:
    """Version → its YAML."""
    return {**shipped_texts(), **_own(office)}


def versions(office: Office) -> Versions:
    """All of them, ready to judge."""
    return of_texts(texts(office))


def current(office: Office) -> Method:
    """What judges this month."""
    return versions(office).on(office.today())


def add(office: Office, text: str) -> Method:
    """A version of the office's own, from a day to come; EvidenceError `bad_method`, or
    `method_known`, `method_begun` for one that would judge what is judged already."""
    found = checked(text)
    if found.version in texts(office):
        raise EvidenceError("method_known", f"version {found.version} is there already")
    if found.valid_from <= office.today():
        raise EvidenceError("method_begun", f"valid_from {found.valid_from} is not in the future")
    kept.keep(office, _KEY, json.dumps({**_own(office), found.version: text}))
    return found


def _own(office: Office) -> dict[str, str]:
    found: dict[str, str] = json.loads(kept.value(office, _KEY) or "{}")
    return found
