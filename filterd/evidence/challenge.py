"""The on-site check: an inspector's nonce, twelve canaries on the path of one tier, signed.

Ten minutes on site, no account: requirements R13 and §4.4. Knows nothing of who asks.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TypedDict

from filterd.errors import EvidenceError
from filterd.evidence.method import Method
from filterd.evidence.ports import Running
from filterd.evidence.records import ListFact
from filterd.evidence.selftest.checks import ZONE, Check, Kind, Want, always_blocked, tiers
from filterd.evidence.selftest.run import Result

FORMAT = "filterd.challenge/1"
NONCE = re.compile(r"[A-Za-z0-9-]{6,64}")
LOCKED, OWN, ALLOWED = 6, 3, 3


class Asked(TypedDict):
    """One canary of the answer."""

    kind: str
    name: str
    passed: bool | None
    got: str


class Answer(TypedDict):
    """What is signed. `via` says which path the canaries took."""

    format: str
    nonce: str
    at: str
    school: str
    tier: str
    via: str
    policy_hash: str
    revision: int
    index: str
    lists: list[dict[str, int | str]]
    checks: list[Asked]
    passed: int
    executed: int


def canaries(running: Running, method: Method, tier: str) -> list[Check]:
    """Six locked canaries, three of the tier's own, three names that must work."""
    known = tiers(running.policy)
    if tier not in known:
        raise EvidenceError("not_found", f"no tier {tier!r}")
    rules = known[tier]
    locked = sorted(method.locked(rules.pupils))
    own = sorted(always_blocked(rules, method) - set(locked))
    groups = running.taxonomy.must_allow
    chosen = rules.allowed_groups if rules.allow_only else tuple(groups)
    names = [str(groups[id_].names[0]) for id_ in chosen if id_ in groups and groups[id_].names]

    def blocked(category: str) -> Check:
        return Check(Kind.BLOCK, tier, category, f"{category}.{ZONE}", "A", Want.BLOCKED)

    return [
        *(blocked(category) for category in locked[:LOCKED]),
        *(blocked(category) for category in own[:OWN]),
        *(
            Check(Kind.ALLOW, tier, "must_allow", name, "A", Want.NOT_BLOCKED)
            for name in names[:ALLOWED]
        ),
    ]


def checked_nonce(nonce: str) -> str:
    """The nonce; EvidenceError unless it is 6 to 64 letters, digits or hyphens."""
    if not NONCE.fullmatch(nonce):
        raise EvidenceError("invalid", "a nonce is 6 to 64 letters, digits or hyphens")
    return nonce


def answer(
    nonce: str, at: datetime, running: Running, lists: list[ListFact], results: list[Result],
) -> Answer:  # fmt: skip
    """The record to sign."""
    known = [result for result in results if result.passed is not None]
    first = results[0].check.tier if results else ""
    return {
        "format": FORMAT,
        "nonce": nonce,
        "at": at.isoformat(timespec="seconds"),
        "school": running.policy.identity.id or "unregistered",
        "tier": first,
        "via": "" if not results else ("no_path" if results[0].got == "no_path" else "segment"),
        "policy_hash": running.hash,
        "revision": running.revision,
        "index": running.index,
        "lists": [{"id": each["id"], "checked_h": each["checked_h"]} for each in lists],
        "checks": [
            {
                "kind": result.check.kind.value,
                "name": result.check.name,
                "passed": result.passed,
                "got": result.got,
            }
            for result in results
        ],
        "passed": sum(result.passed is True for result in known),
        "executed": len(known),
    }
