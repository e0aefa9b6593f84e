"""What staff enter by hand: roles, reviews, checks, notice, promised actions, awareness sessions.

Printed apart from what the box measured. Names of staff stay at the school: a summary carries only
which roles are filled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NotRequired, TypedDict, cast

from filterd.errors import EvidenceError
from filterd.evidence.quick_check import Fits, compiled, resolved
from filterd.evidence.records import Action, GovernanceFact
from filterd.evidence.validator import validator

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator


class Role(TypedDict):
    """A named person in a role."""

    role: str
    name: str
    assigned_on: str
    trained_on: NotRequired[str | None]


class Review(TypedDict):
    """A review of the filter: yearly, or after a trigger."""

    date: str
    trigger: str
    findings: NotRequired[str]
    actions: NotRequired[str]
    closed: NotRequired[bool]


class TierCheck(TypedDict):
    """Somebody looked at one tier in one half-year."""

    semester: str
    tier: str
    date: str


class Notice(TypedDict):
    """The notice to parents in force."""

    version: str
    date: str
    current: bool


class Session(TypedDict):
    """An awareness session (S1 4a, S2 II.2): counted apart from the filter."""

    date: str
    title: str
    grade: NotRequired[str]
    participants: int


class Governance(TypedDict, total=False):
    """The whole record; everything may be missing at first."""

    roles: list[Role]
    reviews: list[Review]
    review_due_since: str | None
    checks: list[TierCheck]
    notice: Notice | None
    actions: list[Action]
    sessions: list[Session]
    dpia: str
    monitoring: str
    facility_type: str
    levels: list[str]


@cache
def schema() -> dict[str, object]:
    """The JSON Schema (2020-12) of the record."""
    text = files("filterd.evidence").joinpath("schemas", "governance-1.json").read_text("utf-8")
    return cast("dict[str, object]", json.loads(text))


@cache
def _fits() -> Fits:
    return compiled(resolved(schema()))


@cache
def _validator() -> Draft202012Validator:
    return validator(schema(), formats=True)


def checked(record: Mapping[str, object]) -> Governance:
    """The record; EvidenceError `invalid` names the first field that is wrong."""
    if _fits()(record):
        return cast("Governance", record)
    error = next(_validator().iter_errors(record), None)
    if error is not None:
        path = "/".join(str(part) for part in error.absolute_path) or "(root)"
        raise EvidenceError("invalid", f"{path}: {error.message[:200]}")
    return cast("Governance", record)


def fact(record: Governance) -> GovernanceFact:
    """What of it travels in a summary: no person's name."""
    notice = record.get("notice")
    reviews = [review["date"] for review in record.get("reviews", [])]
    return {
        "roles": sorted({role["role"] for role in record.get("roles", [])}),
        "last_review": max(reviews, default=None),
        "review_due_since": record.get("review_due_since"),
        "checks": [
            {"semester": check["semester"], "tier": check["tier"]}
            for check in record.get("checks", [])
        ],
        "notice_version": notice["version"] if notice else None,
        "notice_current": bool(notice and notice["current"]),
        "actions": list(record.get("actions", [])),
    }
