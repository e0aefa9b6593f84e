"""Closes a day: gathers its facts, makes the summary, chains and signs it, keeps it.

Owns the counter and the chain of this device. Decides no indicator.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.metadata import version
from typing import cast
from zoneinfo import ZoneInfo

from filterd.errors import EvidenceError
from filterd.evidence import apart, signing
from filterd.evidence.canonical import canonical, digest
from filterd.evidence.exposure import Account, DayTime
from filterd.evidence.method import Method
from filterd.evidence.ports import Gathered, Running, School
from filterd.evidence.records import Cells, Heading, Summary, TierFact, TimeFact
from filterd.evidence.selftest import tally
from filterd.evidence.selftest.checks import always_blocked
from filterd.evidence.selftest.tally import Counts
from filterd.evidence.service_hours import ServiceHours
from filterd.evidence.summary import FIRST, FORMAT, encode, identifier
from filterd.evidence.suppression import Cell, Ledger, Release, publish_cell, suppress
from filterd.evidence.versions import InUse
from filterd.storage.evidence import EvidenceStore, MonthCell, StoredSummary

CATCH_UP = 31
"""Days that are closed afterwards when the box was off; older ones stay missing."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a daybook is made of."""

    store: EvidenceStore
    school: School
    methods: InUse
    key: signing.DeviceKey


class Daybook:
    """The chain of this device's daily summaries."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._restart = secrets.token_hex(8)
        self.school: str | None = None
        """The id in the office's register; None before enrolment: the one in the policy."""

    async def close_days(self, account: Account) -> list[StoredSummary]:
        """Close every day that is over and not closed yet, oldest first."""
        running = self._desk.school.running()
        if running is None or not self._desk.school.clock_trusted():
            return []
        today = self._today(running)
        newest = await self._desk.store.newest_summary()
        first = min(account.days, default=today)
        after = date.fromisoformat(newest.day) + timedelta(days=1) if newest else first
        day = max(after, today - timedelta(days=CATCH_UP))
        closed = []
        while day < today:
            closed.append(await self._close(day, running, account))
            day += timedelta(days=1)
        return closed

    async def so_far(self, account: Account) -> Summary:
        """Today's summary as it stands: not closed, not chained, not kept."""
        running = self._desk.school.running()
        if running is None:
            raise EvidenceError("unavailable", "no policy is running yet")
        day = self._today(running)
        gathered = await self._desk.school.gather(day)
        return {**await self._facts(day, running, account, gathered), "closed": False}

    def _today(self, running: Running) -> date:
        return self._desk.school.now().astimezone(ZoneInfo(running.policy.time_zone)).date()

    async def _close(self, day: date, running: Running, account: Account) -> StoredSummary:
        store, month = self._desk.store, day.isoformat()[:7]
        gathered = await self._desk.school.gather(day)
        await store.add_cells(month, _month_cells(gathered))
        summary = await self._facts(day, running, account, gathered)
        release = await self._release(day)
        newest = await store.newest_summary()
        summary["counter"] = newest.counter + 1 if newest else 1
        summary["previous"] = newest.digest if newest else FIRST
        summary["cells"] = release
        body = encode(summary)
        signed = await apart.sign(self._desk.key, signing.SUMMARY, body)
        kept = StoredSummary(summary["counter"], summary["day"], digest(body), signed.encode())
        await store.add_summary(kept)
        return kept

    async def _facts(
        self, day: date, running: Running, account: Account, gathered: Gathered
    ) -> Summary:
        runs = await self._desk.store.selftests(day.isoformat())
        service_s = _hours(running).seconds(day)
        counts = _whole_day([cast("Counts", run.counts) for run in runs], service_s)
        spent = account.days.get(day, DayTime())
        method = self._desk.methods.on(day)
        rule = method.privacy
        return {
            **self._heading(day, running),
            "clock": {"trusted": self._desk.school.clock_trusted(), "jumps": spent.jumps},
            "facility": gathered["facility"],
            "policy": {
                "revision": running.revision,
                "hash": running.hash,
                "index": running.index,
                "bundle": gathered["bundle"],
            },
            "tiers": _tiers(running, method),
            "time": _time(spent, service_s),
            "selftest": tally.selftest_fact(counts),
            "safesearch": counts["safesearch"],
            "bypass": tally.bypass_facts(counts, gathered["firewall"]),
            "bypass_blocked": publish_cell(gathered["bypass_blocked"], rule),
            "lists": gathered["lists"],
            "segments": gathered["segments"],
            "path": gathered["path"],
            "flows": gathered["flows"],
            "tickets": gathered["tickets"],
            "changes": gathered["changes"],
            "governance": gathered["governance"],
            "privacy": gathered["privacy"],
            "volume": {"queries": publish_cell(gathered["queries"], rule)},
            "cells": None,
        }

    def _heading(self, day: date, running: Running) -> Heading:
        """Whose summary it is; counter and chain are set when the day is closed."""
        return {
            "format": FORMAT,
            "school": identifier(self.school or running.policy.identity.id or "unregistered"),
            "device": self._desk.key.id,
            "counter": 1,
            "previous": FIRST,
            "day": day.isoformat(),
            "made_at": self._desk.school.now().isoformat(timespec="seconds"),
            "closed": True,
            "method": self._desk.methods.on(day).version,
            "software": version("filterd"),
            "restart": self._restart,
        }

    async def _release(self, day: date) -> Cells | None:
        """The month before this day's, once: with the first summary of a month."""
        month = (day.replace(day=1) - timedelta(days=1)).isoformat()[:7]
        ledger = Ledger(await self._desk.store.releases())
        table: dict[str, dict[str, Cell]] = {}
        for cell in await self._desk.store.cells(month):
            kept = Cell(cell.events, cell.clients, cell.top)
            table.setdefault(cell.tier, {})[cell.category] = kept
        if not table or month in ledger.released:
            return None
        rule = self._desk.methods.on(date.fromisoformat(f"{month}-01")).privacy
        cells = _cells(suppress(month, table, rule))
        body = canonical(cells)
        ledger.check(month, day.isoformat()[:7], digest(body))
        await self._desk.store.release(month, digest(body), body.decode("utf-8"))
        return cells


def _hours(running: Running) -> ServiceHours:
    return ServiceHours(running.policy.calendar, ZoneInfo(running.policy.time_zone))


def _whole_day(runs: list[Counts], service_s: int) -> Counts:
    """The day's runs together; hourly runs of the service time that never began are missing too."""
    total = tally.merge(runs)
    missing = max(0, service_s // 3600 - len(runs))
    usual = total["scheduled"] // len(runs) if runs else 1
    total["scheduled"] += missing * usual
    return total


def _tiers(running: Running, method: Method) -> dict[str, TierFact]:
    return {
        str(tier.id): {
            "pupils": tier.pupils,
            "hash": running.tier_hashes.get(str(tier.id), ""),
            "blocked": sorted(always_blocked(tier, method)),
            "allow_only": tier.allow_only,
        }
        for tier in running.policy.tiers
    }


def _time(spent: DayTime, service_s: int) -> TimeFact:
    return {
        "service_s": service_s,
        "enforcing_s": min(spent.service.enforcing // 1000, 86_400),
        "exposed_s": min(-(-spent.service.exposed // 1000), 86_400),
        "offline_s": min(spent.service.offline // 1000, 86_400),
        "paused_s": min(-(-spent.service.paused // 1000), 86_400),
        "all_enforcing_s": min(spent.whole.enforcing // 1000, 86_400),
        "all_exposed_s": min(-(-spent.whole.exposed // 1000), 86_400),
        "all_offline_s": min(spent.whole.offline // 1000, 86_400),
    }


def _month_cells(gathered: Gathered) -> list[MonthCell]:
    return [
        MonthCell(tier, category, cell.events, cell.clients, cell.top)
        for tier, cells in gathered["cells"].items()
        for category, cell in cells.items()
    ]


def _cells(release: Release) -> Cells:
    return {
        "month": release.month,
        "rows": {
            tier: {"cells": dict(row.cells), "total": row.total}
            for tier, row in release.rows.items()
        },
        "total": release.total,
        "hidden": release.hidden,
    }
