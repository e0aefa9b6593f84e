"""The facts of a day for its summary, gathered from the other rooms: counts, never names."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from filterd.app.evidence_seen import DayCells
from filterd.app.firewall_report import bypass_facts, deployment, path_facts
from filterd.control.audit import walked
from filterd.control.owner import EXPORTS, Owner
from filterd.evidence.audit import Walk
from filterd.evidence.door import GOVERNANCE
from filterd.evidence.governance import Governance, checked, fact
from filterd.evidence.indicators.people import BUCKET_HOURS
from filterd.evidence.ports import Gathered
from filterd.evidence.records import (
    ChangeFact,
    Facility,
    ListFact,
    PrivacyFact,
    Segments,
    TicketFact,
)
from filterd.evidence.summary import identifier
from filterd.evidence.suppression import Cell
from filterd.lists.setting import library
from filterd.lists.status import status
from filterd.live import LivePolicy
from filterd.policy import document
from filterd.policy.model import Policy
from filterd.policy.verdict import Placement, Question, Step
from filterd.storage.evidence_facts import EvidenceFacts
from filterd.wire.constants import A

TICKETS_KEPT = timedelta(days=366)
LESSON = timedelta(hours=8)
_HEX = re.compile(r"[0-9a-f]{1,64}")
_NOT_LICENCE = re.compile(r"[^A-Za-z0-9 .,+()/_-]")


@dataclass(frozen=True, slots=True)
class FactFinder:
    """Gathers; owns nothing but what `DayCells` holds in RAM, and what it judged of revisions.

    `judged`: number → whether it lasted. A revision never changes, and reading two documents of a
    large school takes seconds.
    """

    owner: Owner
    live: LivePolicy
    cells: DayCells
    judged: dict[int, bool] = field(default_factory=dict)

    async def gather(self, day: date) -> Gathered:
        """Everything that the other rooms know of that local day."""
        first, last = self._bounds(day)
        governance = checked(await self.owner.stores.values.get(GOVERNANCE) or {})
        facts = EvidenceFacts(self.owner.stores.database)
        settings = self.owner.settings
        paths = await asyncio.to_thread(path_facts, settings, day)
        return {
            "facility": self._facility(governance),
            "bundle": None,
            "lists": await asyncio.to_thread(self._lists),
            "segments": self._segments(),
            "path": paths["path"],
            "flows": paths["flows"],
            "tickets": await _tickets(facts, first, last),
            "changes": await self._changes(facts, first, last),
            "governance": fact(governance),
            "privacy": await self._privacy(facts, governance, first, last),
            "firewall": await asyncio.to_thread(bypass_facts, settings),
            "queries": Cell(),
            "bypass_blocked": self.cells.category(day, "bypass"),
            "cells": self.cells.table(day),
        }

    def _bounds(self, day: date) -> tuple[datetime, datetime]:
        """The local day in the clock's own zone, which is how times are stored."""
        zone = ZoneInfo(self.live.running.policy.time_zone)
        own = self.owner.clock().tzinfo
        first = datetime.combine(day, time(0), zone)
        last = datetime.combine(day + timedelta(days=1), time(0), zone)
        return first.astimezone(own), last.astimezone(own)

    def _facility(self, governance: Governance) -> Facility:
        kind = governance.get("facility_type", self.live.running.policy.identity.facility_type)
        return {
            "type": re.sub(r"[^a-z_]", "", kind)[:40],
            "levels": list(governance.get("levels", [])),
            "deployment": deployment(self.owner.settings),
        }

    def _lists(self) -> list[ListFact]:
        now = self.owner.clock()
        items = status(library(self.owner.settings), now)["items"]
        return [_list_fact(item, now) for item in items if item.get("enabled", True)]

    def _segments(self) -> Segments:
        """Known segments seen, and one more for strangers beyond our own self-test's address."""
        bound = {segment for (_, segment, known) in self.cells.places() if known and segment}
        strangers = sum(n for (_, _, known), n in self.cells.places().items() if not known)
        return {"seen": len(bound) + (strangers > 1), "bound": len(bound)}

    async def _changes(self, facts: EvidenceFacts, first: datetime, last: datetime) -> ChangeFact:
        found = await facts.changes(first, last)
        chain = await walked(self.owner.stores.audit, Walk())
        return {
            "total": found.total,
            "complete": found.complete,
            "weakening": found.weakening,
            "weakening_alone": await self._lasting(found.alone),
            "expired_overrides": self._outlived(),
            "exceptions": sum(o.exception is not None for o in self.live.running.policy.overrides),
            "chain_ok": chain.ok,
            "head": await facts.audit_head(),
        }

    async def _lasting(self, alone: tuple[int, ...]) -> int:
        """Of the weakening revisions without an approver, those that did more than open names for
        a lesson: timed overrides of at most eight hours are a teacher's own right."""
        for number in alone:
            if number not in self.judged:
                self.judged[number] = await self._lasts(number)
        return sum(self.judged[number] for number in alone)

    async def _lasts(self, number: int) -> bool:
        one = await self.owner.stores.revisions.get(number)
        before = await self.owner.stores.revisions.get(number - 1)
        if one is None or before is None:
            return False
        known = self.live.ground.taxonomy
        old, new = [
            await asyncio.to_thread(document.parse, each.files, known) for each in (before, one)
        ]
        return _without_lessons(old, one.edit.at) != _without_lessons(new, one.edit.at)

    def _outlived(self) -> int:
        """Overrides past their expiry that the ruleset still obeys."""
        running, now = self.live.running, self.owner.clock()
        count = 0
        for override in running.policy.overrides[:200]:
            if override.expires is None or override.expires >= now:
                continue
            tiers = override.tiers or frozenset(tier.id for tier in running.policy.tiers)
            rules = [running.ruleset.effective(Placement(tier), now) for tier in tiers]
            verdicts = [each.verdict(Question(override.name, A)) for each in rules]
            count += any(
                each.origin.step is Step.OVERRIDE and each.origin.rule == override.name
                for each in verdicts
            ) and not any(
                other.name == override.name and (other.expires is None or other.expires > now)
                for other in running.policy.overrides
            )
        return count

    async def _privacy(
        self, facts: EvidenceFacts, governance: Governance, first: datetime, last: datetime
    ) -> PrivacyFact:
        now = self.owner.clock()
        await facts.forget_tickets(now - TICKETS_KEPT)
        oldest = await facts.oldest_closed_ticket()
        age = 0 if oldest is None else max(0, int((now - oldest).total_seconds()))
        left: list[str] = await self.owner.stores.values.get(EXPORTS) or []
        exports = sum(first <= datetime.fromisoformat(at) < last for at in left)
        logged = await facts.acts("backup.export", first, last)
        return {
            "oldest_record_s": age,
            "limit_s": int(TICKETS_KEPT.total_seconds()) + 86_400,
            "retention_ok": await facts.beyond_retention(now) == 0,
            "exports": exports,
            "exports_logged": min(logged, exports),
            "dpia": governance.get("dpia", "none"),
            "notice": governance.get("notice") is not None,
        }


async def _tickets(facts: EvidenceFacts, first: datetime, last: datetime) -> TicketFact:
    decided = await facts.decided(first, last)
    buckets = [0] * (len(BUCKET_HOURS) + 1)
    for each in decided:
        hours = (each.decided - each.opened).total_seconds() / 3600
        place = next((n for n, edge in enumerate(BUCKET_HOURS) if hours <= edge), -1)
        buckets[place] += 1
    unblock = [each for each in decided if each.type == "unblock"]
    return {
        "decided": len(decided),
        "within": sum(each.decided <= each.due for each in decided),
        "overdue": await facts.overdue(min(last, datetime.now(last.tzinfo))),
        "unblock_decided": len(unblock),
        "unblock_upheld": sum(each.accepted for each in unblock),
        "buckets": buckets,
    }


def _without_lessons(policy: Policy, at: datetime) -> Policy:
    lasting = tuple(
        override
        for override in policy.overrides
        if override.expires is None or override.expires - at > LESSON
    )
    return replace(policy, overrides=lasting)


def _list_fact(item: Mapping[str, Any], now: datetime) -> ListFact:
    fetched = bool(item.get("url"))
    versions = [each for each in item.get("versions", ()) if each.get("current")]
    version = str(versions[0]["version"]) if versions else ""
    entries = int(item.get("entries") or 0)
    return {
        "id": identifier(str(item["id"])),
        "category": str(item["category"]),
        "kind": "fetched" if fetched else "shipped",
        "version": hexadecimal(version),
        "licence": _NOT_LICENCE.sub(" ", str(item.get("licence") or ""))[:80],
        "entries": entries,
        "checked_h": _hours(item.get("checked"), now),
        "changed_h": _hours(item.get("changed"), now),
        "loaded": entries > 0 or not fetched,
        "intact": item.get("quarantine") is None and item.get("state") != "failed",
    }


def _hours(when: object, now: datetime) -> int:
    """Whole hours since then; never checked counts as ten years."""
    if not when:
        return 87_600
    at = when if isinstance(when, datetime) else datetime.fromisoformat(str(when))
    return max(0, int((now - at).total_seconds() // 3600))


def hexadecimal(version: str) -> str:
    """A digest as the summary carries it: what is no digest is digested."""
    base = version.partition("+")[0]
    if not base or _HEX.fullmatch(base):
        return base
    return hashlib.sha256(base.encode()).hexdigest()


__all__ = ["FactFinder", "hexadecimal"]
