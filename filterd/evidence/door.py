"""What the control routes ask of the evidence, answered as plain values ready to be sent.

Knows no socket and no permission: those stand in `control.evidence`.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, cast

from filterd.errors import EvidenceError
from filterd.evidence.calendar import Due, load, upcoming
from filterd.evidence.courier import Office
from filterd.evidence.decision import TITLES, decide
from filterd.evidence.governance import Governance, checked
from filterd.evidence.indicators import Period, compute
from filterd.evidence.method import Method
from filterd.evidence.periods import period_of
from filterd.evidence.recorder import Recorder
from filterd.evidence.report import record
from filterd.evidence.report.record import Record, Sources
from filterd.evidence.report.words import both
from filterd.evidence.selftest.checks import UNKNOWN
from filterd.storage.evidence import EvidenceStore
from filterd.storage.small import Values

GOVERNANCE, OFFICE, HANDED_IN = "evidence.governance", "evidence.office", "evidence.handed_in"


FRESH_S = 20.0
TierOf = Callable[[str], str | None]
"""The tier of a device's address; the address is used for nothing else and forgotten."""


class Door:
    """Implements `control.evidence.Evidence`."""

    def __init__(
        self, recorder: Recorder, store: EvidenceStore, values: Values, tier_of: TierOf
    ) -> None:
        self._recorder, self._store, self._values = recorder, store, values
        self._tier_of = tier_of
        self._calendar = load()
        self.bundle: Callable[[], Mapping[str, object] | None] = lambda: None
        self._kept: tuple[float, Mapping[str, Any]] | None = None

    async def status(self) -> Mapping[str, Any]:
        """The month so far, at most FRESH_S old: every visit of the overview asks for it."""
        now = time.monotonic()
        if self._kept is None or now - self._kept[0] >= FRESH_S:
            self._kept = now, await self._judged()
        return self._kept[1]

    async def _judged(self) -> Mapping[str, Any]:
        recorder = self._recorder
        today = recorder.today()
        period = Period.month(today.isoformat()[:7], today)
        method = recorder.methods.on(period.first)
        indicators = compute(await recorder.facts(period), method)
        governance = await self._governance()
        actions = governance.get("actions", [])
        decision = decide(indicators, method, actions, today)
        shown = recorder.snapshot()
        last = shown.account.last
        return {
            "at": recorder.now(),
            "period": period.id,
            "as_of": period.as_of,
            "method": {"version": method.version, "status": method.status},
            "status": decision.status,
            "title": TITLES[decision.status],
            "reasons": decision.reasons,
            "limits": decision.limits,
            "indicators": [
                {**_plain(each), **_limit(method, id_)} for id_, each in indicators.items()
            ],
            "now": last.kind if last else "unknown",
            "selftest": {
                "at": shown.newest_at,
                "scheduled": shown.newest["scheduled"] if shown.newest else 0,
                "executed": shown.newest["executed"] if shown.newest else 0,
                "failed": shown.newest["failed"] if shown.newest else [],
                "via": shown.newest["via"] if shown.newest else {},
            },
            "spool": {"waiting": shown.spooled, "oldest": shown.oldest_unsent},
            "device": {"id": recorder.key.id, "public": recorder.key.public.hex()},
            "office": await self._values.get(OFFICE),
            "bundle": self.bundle(),
            "due": [_due(each, today, None) for each in self._soon(today)],
        }

    async def selftest(self, whole: bool) -> Mapping[str, Any]:
        self._kept = None
        found = await self._recorder.examine(whole)
        counts = found.counts
        return {
            "at": found.at,
            "passed": found.passed,
            "scheduled": counts["scheduled"],
            "executed": counts["executed"],
            "unseen": sum(r.passed is None and r.attempts > 0 for r in found.results),
            "block": counts["block"],
            "allow": counts["allow"],
            "safesearch": counts["safesearch"],
            "bypass": counts["bypass"],
            "via": counts["via"],
            "failed": counts["failed"],
            "tests": {test: both(f"bypass_{test}") for test in counts["bypass"]},
        }

    async def challenge(self, nonce: str, tier: str | None, address: str) -> Mapping[str, Any]:
        place = tier or (self._tier_of(address) if address else None) or UNKNOWN
        signed = await self._recorder.answer_challenge(nonce, place)
        return {
            "envelope": signed.encode().decode("utf-8"),
            "body": signed.body.decode("utf-8"),
            "public": self._recorder.key.public.hex(),
        }

    async def report(self, period: str, form: str, language: str) -> Mapping[str, Any]:
        of = period_of(period, self._recorder.today(), self._calendar)
        made, method = await self._record(of), self._recorder.methods.on(of.first)
        name = f"filterd-{made['school_id']}-{period.replace('/', '-')}.{form}"
        if form == "json":
            return {"file": name, "record": made}
        content = await asyncio.to_thread(self._laid_out, made, method, form, language)
        return {"file": name, "content": base64.b64encode(content).decode("ascii")}

    async def summaries(self, first: str, last: str) -> Mapping[str, Any]:
        stored = await self._store.summaries(first, last)
        return {
            "items": [
                {
                    "counter": each.counter,
                    "day": each.day,
                    "digest": each.digest,
                    "sent_at": each.sent_at,
                    "answer": each.answer,
                    "envelope": each.envelope.decode("utf-8"),
                }
                for each in stored[:62]
            ],
            "more": len(stored) > 62,
        }

    async def exposure(self, days: int) -> Mapping[str, Any]:
        account = self._recorder.meter.account
        first = self._recorder.today() - timedelta(days=days - 1)
        return {
            "total": _seconds(account.total),
            "items": [
                {"day": day, "whole": _seconds(spent.whole), "service": _seconds(spent.service),
                 "jumps": spent.jumps}
                for day, spent in sorted(account.days.items(), reverse=True)
                if day >= first
            ],
        }  # fmt: skip

    async def calendar(self) -> Mapping[str, Any]:
        today = self._recorder.today()
        handed = await self._values.get(HANDED_IN) or {}
        return {
            "today": today,
            "semester": self._calendar.semester(today),
            "items": [
                _due(each, today, handed.get(f"{each.obligation.id} {each.nominal.year}"))
                for each in upcoming([self._calendar], today, "school")
            ],
            "legal_basis": [
                {"id": basis.id, "document": basis.document, "valid_to": basis.valid_to,
                 "in_force": basis.in_force(today), "source": basis.source}
                for basis in self._calendar.bases.values()
            ],
        }  # fmt: skip

    async def hand_in(self, obligation: str, year: int, day: str) -> None:
        if obligation not in {each.id for each in self._calendar.obligations}:
            raise EvidenceError("not_found", f"no obligation {obligation!r}")
        date.fromisoformat(day)
        self._kept = None
        handed = await self._values.get(HANDED_IN) or {}
        await self._values.set(HANDED_IN, {**handed, f"{obligation} {year}": day})

    async def governance(self) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", await self._governance())

    async def set_governance(self, record_: Mapping[str, Any]) -> None:
        await self._values.set(GOVERNANCE, checked(record_))
        self._kept = None

    async def enrol(self, url: str, code: str, ca: str | None) -> Mapping[str, Any]:
        school = await self._recorder.enrol(Office(url, ca), code)
        # What was signed before the office knew us names another id: it stays at the school.
        await self._store.keep_unsent(self._recorder.now(), "before enrolment")
        await self._values.set(OFFICE, {"url": url, "ca": ca, "school": school})
        self._kept = None
        await self._recorder.refresh()
        return {"school": school, "device": self._recorder.key.id}

    async def _governance(self) -> Governance:
        return checked(await self._values.get(GOVERNANCE) or {})

    async def _record(self, period: Period) -> Record:
        recorder = self._recorder
        running = recorder.running()
        sources = Sources(
            running.policy, await recorder.facts(period), recorder.methods.on(period.first),
            await self._governance(), self._calendar, recorder.today(),
        )  # fmt: skip
        return record.build(sources, recorder.key)

    def _laid_out(self, made: Record, method: Method, form: str, language: str) -> bytes:
        # 15 MiB of libraries that only whoever makes a report pays for
        from filterd.evidence.report import render, sheet

        if form == "xlsx":
            return sheet.xlsx(made, method, language)
        titles = render.titles_of(self._recorder.running().taxonomy.categories)
        page = render.html(made, method, titles, language)
        return render.pdf(page) if form == "pdf" else page.encode("utf-8")

    def _soon(self, today: date) -> list[Due]:
        return list(upcoming([self._calendar], today, "school", 60))


async def office_of(values: Values) -> Office | None:
    """Where the school's summaries go; None: it is not enrolled."""
    kept = await values.get(OFFICE)
    return Office(kept["url"], kept["ca"], kept["school"]) if kept else None


def _due(each: Due, today: date, handed_in: str | None) -> dict[str, Any]:
    day = date.fromisoformat(handed_in) if handed_in else None
    return {
        "id": each.obligation.id,
        "title": each.obligation.title,
        "to": each.obligation.recipient,
        "nominal": each.nominal,
        "hand_in": each.hand_in,
        "reminders": each.reminders(),
        "late_after": each.late_after,
        "days_left": (each.hand_in - today).days,
        "stage": each.stage(today, day),
        "handed_in": day,
        "basis": each.obligation.basis,
        "basis_in_force": each.basis_in_force,
    }


def _plain(each: Any) -> dict[str, Any]:
    return {
        "id": each.id, "value": each.value, "n": each.n, "threshold": each.threshold,
        "verdict": each.verdict, "measurable": each.measurable, "reason": each.reason,
        "parts": dict(each.parts), "why": both(f"reason_{each.reason}") if each.reason else None,
    }  # fmt: skip


def _limit(method: Method, id_: str) -> dict[str, Any]:
    limit = method.thresholds[id_]
    return {"title": limit.title, "gate": limit.gate, "lower_is_better": limit.lower_is_better}


def _seconds(spent: Any) -> dict[str, int]:
    return {
        "enforcing_s": spent.enforcing // 1000,
        "exposed_s": spent.exposed // 1000,
        "offline_s": spent.offline // 1000,
        "paused_s": spent.paused // 1000,
    }
