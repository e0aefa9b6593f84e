"""`evidence.*`: what the filter can prove about itself, for the console, the portal and the CLI.

The room `evidence` stands beside this one, so it is reached through the Protocol below.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from filterd.control.owner import Owner, required_reason
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Nothing, Refusal, Route

FORMATS = ("json", "html", "pdf", "xlsx")
LANGUAGES = ("vi", "en")
CHALLENGE_EVERY_S = 3.0
"""Everybody on the school's network may ask: for the whole school, not more often than this."""


class Evidence(Protocol):
    """The evidence as the routes see it; every answer is ready to be sent."""

    async def status(self) -> Mapping[str, Any]:
        """The month so far: status, reasons, indicators, exposure of today, spool."""

    async def selftest(self, whole: bool) -> Mapping[str, Any]:
        """Run it now."""

    async def challenge(self, nonce: str, tier: str | None, address: str) -> Mapping[str, Any]:
        """Twelve canaries on a tier's path, signed."""

    async def report(self, period: str, form: str, language: str) -> Mapping[str, Any]:
        """The compliance report: `file` name and base64 `content`, or the `record` for json."""

    async def summaries(self, first: str, last: str) -> Mapping[str, Any]:
        """The signed summaries of local days."""

    async def exposure(self, days: int) -> Mapping[str, Any]:
        """Seconds per day, the newest first."""

    async def calendar(self) -> Mapping[str, Any]:
        """What is due to whom, and when."""

    async def hand_in(self, obligation: str, year: int, day: str) -> None:
        """Note that a report was handed in."""

    async def governance(self) -> Mapping[str, Any]:
        """Roles, reviews, checks, notice, actions, sessions, as entered by staff."""

    async def set_governance(self, record: Mapping[str, Any]) -> None:
        """Replace them."""

    async def enrol(self, url: str, code: str, ca: str | None) -> Mapping[str, Any]:
        """Make the device known at the office."""


@dataclass(frozen=True, slots=True)
class Selftest:
    """`whole` False: only this hour's part of the must-allow pack."""

    whole: bool = True


@dataclass(frozen=True, slots=True)
class Challenge:
    """From the portal: the tier is that of `address`, unless one is named."""

    nonce: str
    address: str = ""
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """`period` is a month (2026-11), a school half-year (2026-2027/1) or a year (2026)."""

    period: str
    format: str = "json"
    lang: str = "vi"


@dataclass(frozen=True, slots=True)
class Span:
    """Local days, both included."""

    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Days:
    """How many days back."""

    days: int = 31


@dataclass(frozen=True, slots=True)
class HandIn:
    """An obligation of the calendar was met on this day."""

    obligation: str
    year: int
    day: str


@dataclass(frozen=True, slots=True)
class SetGovernance:
    """The whole record of roles, reviews, checks, notice, actions and sessions."""

    record: dict[str, object]
    reason: str


@dataclass(frozen=True, slots=True)
class Enrol:
    """The office's address, the one-time code it gave, and its certificate unless public."""

    url: str
    code: str
    ca: str | None = None


def routes(owner: Owner, evidence: Evidence) -> dict[str, Route]:
    """The methods of this noun."""
    noun = _Evidence(owner, evidence)
    return {
        "evidence.status": Route(Nothing, Permission.EVIDENCE, noun.status),
        "evidence.selftest": Route(Selftest, Permission.EVIDENCE, noun.selftest),
        "evidence.challenge": Route(Challenge, Permission.PORTAL, noun.challenge),
        "evidence.report": Route(Report, Permission.EVIDENCE, noun.report),
        "evidence.summaries": Route(Span, Permission.EVIDENCE, noun.summaries),
        "evidence.exposure": Route(Days, Permission.EVIDENCE, noun.exposure),
        "evidence.calendar": Route(Nothing, Permission.EVIDENCE, noun.calendar),
        "evidence.hand_in": Route(HandIn, Permission.EDIT, noun.hand_in),
        "evidence.governance": Route(Nothing, Permission.EVIDENCE, noun.governance),
        "evidence.set_governance": Route(SetGovernance, Permission.EDIT, noun.set_governance),
        "evidence.enrol": Route(Enrol, Permission.EDIT, noun.enrol),
    }


class _Evidence:
    def __init__(self, owner: Owner, evidence: Evidence) -> None:
        self._owner, self._evidence = owner, evidence
        self._challenged = -CHALLENGE_EVERY_S

    async def status(self, caller: Caller, request: Nothing) -> Mapping[str, Any]:
        return await self._evidence.status()

    async def selftest(self, caller: Caller, request: Selftest) -> Mapping[str, Any]:
        return await self._evidence.selftest(request.whole)

    async def challenge(self, caller: Caller, request: Challenge) -> Mapping[str, Any]:
        now = asyncio.get_running_loop().time()
        if now - self._challenged < CHALLENGE_EVERY_S:
            raise Refusal(
                "too_soon", "Vừa có người kiểm tra, hãy thử lại sau vài giây",
                "Somebody checked just now; try again in a few seconds",
                retry_after=int(CHALLENGE_EVERY_S),
            )  # fmt: skip
        self._challenged = now
        return await self._evidence.challenge(request.nonce, request.tier, request.address)

    async def report(self, caller: Caller, request: Report) -> Mapping[str, Any]:
        if request.format not in FORMATS or request.lang not in LANGUAGES:
            raise Refusal(
                "invalid", "Định dạng hoặc ngôn ngữ không đúng",
                f"format is one of {', '.join(FORMATS)}; lang is vi or en",
            )  # fmt: skip
        found = await self._evidence.report(request.period, request.format, request.lang)
        await self._owner.audit(caller, "evidence.report", f"{request.period} {request.format}")
        return found

    async def summaries(self, caller: Caller, request: Span) -> Mapping[str, Any]:
        return await self._evidence.summaries(request.first, request.last)

    async def exposure(self, caller: Caller, request: Days) -> Mapping[str, Any]:
        return await self._evidence.exposure(max(1, min(request.days, 40)))

    async def calendar(self, caller: Caller, request: Nothing) -> Mapping[str, Any]:
        return await self._evidence.calendar()

    async def hand_in(self, caller: Caller, request: HandIn) -> dict[str, Any]:
        await self._evidence.hand_in(request.obligation, request.year, request.day)
        target = f"{request.obligation} {request.year}: {request.day}"
        await self._owner.audit(caller, "evidence.hand_in", target)
        return {}

    async def governance(self, caller: Caller, request: Nothing) -> Mapping[str, Any]:
        return await self._evidence.governance()

    async def set_governance(self, caller: Caller, request: SetGovernance) -> dict[str, Any]:
        reason = required_reason(request.reason)
        await self._evidence.set_governance(request.record)
        await self._owner.audit(caller, "evidence.set_governance", "", reason)
        return {}

    async def enrol(self, caller: Caller, request: Enrol) -> Mapping[str, Any]:
        found = await self._evidence.enrol(request.url, request.code, request.ca)
        await self._owner.audit(caller, "evidence.enrol", request.url)
        return found
