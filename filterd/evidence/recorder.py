"""The evidence of the running school: the loops that measure, and the door for the control routes.

Owns when things happen. What they mean is decided by the pure modules.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from filterd import tasks
from filterd.config import Settings
from filterd.errors import EvidenceError, FilterdError
from filterd.evidence import challenge, signing
from filterd.evidence.canonical import canonical
from filterd.evidence.courier import Courier, Delivery, Office, enrol
from filterd.evidence.daybook import Daybook, Desk
from filterd.evidence.examiner import AT_ONCE, SCHEDULED, Examination, Examiner
from filterd.evidence.exposure import Account
from filterd.evidence.indicators import Facts, Period
from filterd.evidence.meter import Meter
from filterd.evidence.method import Method
from filterd.evidence.ports import Gathered, Running, School
from filterd.evidence.records import Summary
from filterd.evidence.selftest.tally import Counts
from filterd.evidence.service_hours import ServiceHours
from filterd.evidence.summary import decode
from filterd.evidence.versions import InUse
from filterd.policy.model import SchoolCalendar
from filterd.storage.evidence import EvidenceStore, StoredSummary

_log = logging.getLogger("filterd.evidence")
TICK_S = 10.0
HOUR_S = 3600.0
DELIVER_S = 600.0
FIRST_TEST_S = 90.0
"""After the first round of `seen`, whose key tells the self-test's questions from pupils'."""
ZONE_WHEN_UNKNOWN = "Asia/Ho_Chi_Minh"
OfficeOf = Callable[[], Awaitable[Office | None]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the metrics show: no tier × time of anything sensitive, no name, no client."""

    account: Account
    newest: Counts | None
    newest_at: datetime | None
    spooled: int
    oldest_unsent: date | None
    facts: Gathered | None = None


class Recorder:
    """Made and started by the composition root; `stop` writes the account down."""

    def __init__(
        self, settings: Settings, store: EvidenceStore, school: School, office: OfficeOf
    ) -> None:
        self._store, self._school, self._office = store, school, office
        self.methods = InUse()
        self.key = signing.device_key(settings.state_dir / "keys")
        self.examiner = Examiner(settings, store, school, self.method)
        self.meter = Meter(store, school, self.examiner.lanes, self._hours)
        self.daybook = Daybook(Desk(store, school, self.methods, self.key))
        self.courier = Courier(store, school.now)
        self._turn = 0
        self._shown = Snapshot(self.meter.account, None, None, 0, None)
        self._loops: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        """Go on where the last run stopped."""
        for chatty in ("httpx", "httpcore", "hpack"):  # a line for each canary over HTTPS
            logging.getLogger(chatty).setLevel(logging.WARNING)
        await self.meter.load()
        await self.refresh()
        self._loops = [
            tasks.spawn(self._every(TICK_S, self._tick), "evidence-meter"),
            tasks.spawn(self._every(HOUR_S, self._test, FIRST_TEST_S), "evidence-selftest"),
            tasks.spawn(self._every(DELIVER_S, self._close_and_send, FIRST_TEST_S), "evidence-day"),
        ]

    async def stop(self) -> None:
        """Stop measuring and save."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self.meter.save()

    async def observe(self) -> None:
        """Count up to now at once: called right before and after a pause begins or ends."""
        await self.meter.tick()

    async def examine(self, whole: bool = True) -> Examination:
        """The self-test on demand; `whole` asks the whole must-allow pack."""
        found = await self.examiner.examine(AT_ONCE, None if whole else self._turn)
        await self.refresh()
        return found

    async def answer_challenge(self, nonce: str, tier: str) -> signing.Signed:
        """The signed result of twelve canaries on this tier's path."""
        running = self.running()
        checked = challenge.checked_nonce(nonce)
        now = self._school.now()
        results = await self.examiner.ask(challenge.canaries(running, self.method(), tier))
        lists = self._shown.facts["lists"] if self._shown.facts else []
        record = challenge.answer(checked, now, running, lists, results)
        return self.key.sign(signing.CHALLENGE, canonical(record))

    async def facts(self, period: Period) -> Facts:
        """The period's facts from this device's own signed summaries, and today's as it stands."""
        stored = await self._store.summaries(period.first.isoformat(), period.last.isoformat())
        summaries = await asyncio.to_thread(_opened, stored)
        if period.first <= self.today() <= period.last:
            summaries.append(await self.daybook.so_far(self.meter.account))
        oldest = await self._store.oldest_day()
        since = date.fromisoformat(oldest) if oldest else self.today()
        return Facts.gather(period, summaries, since)

    async def today_so_far(self) -> Summary:
        """Today's facts, not closed and not signed."""
        return await self.daybook.so_far(self.meter.account)

    def method(self) -> Method:
        """What judges the month of today."""
        return self.methods.on(self.today())

    async def enrol(self, office: Office, code: str) -> str:
        """Make this device known at the office; the school id there."""
        return await enrol(office, code, self.key)

    async def deliver(self) -> Delivery | None:
        """Send what waits now; None: no office is configured."""
        office = await self._office()
        return None if office is None else await self.courier.deliver(office)

    def snapshot(self) -> Snapshot:
        """As of the last round; nothing is asked of the database."""
        return replace(self._shown, account=self.meter.account)

    async def refresh(self) -> None:
        """Take what the snapshot shows from the store, and the school's id at the office."""
        office = await self._office()
        self.daybook.school = office.school if office else None
        newest = await self._store.newest_selftest()
        waiting = await self._store.unsent(500)
        self._shown = Snapshot(
            account=self.meter.account,
            newest=cast("Counts", newest.counts) if newest else None,
            newest_at=datetime.fromisoformat(newest.at) if newest else None,
            spooled=len(waiting),
            oldest_unsent=date.fromisoformat(waiting[0].day) if waiting else None,
            facts=await self._school.gather(self.today()) if self._school.running() else None,
        )

    def running(self) -> Running:
        """The policy in force; EvidenceError `unavailable` before the first one."""
        running = self._school.running()
        if running is None:
            raise EvidenceError("unavailable", "no policy is running yet")
        return running

    def now(self) -> str:
        """The wall clock as it is stored."""
        return self._school.now().isoformat(timespec="seconds")

    def today(self) -> date:
        """The school's local date."""
        return self._school.now().astimezone(self._hours().zone).date()

    def _hours(self) -> ServiceHours:
        running = self._school.running()
        if running is None:
            return ServiceHours(SchoolCalendar(), ZoneInfo(ZONE_WHEN_UNKNOWN))
        return ServiceHours(running.policy.calendar, ZoneInfo(running.policy.time_zone))

    async def _tick(self) -> None:
        await self.meter.tick()

    async def _test(self) -> None:
        self._turn += 1
        await self.examiner.examine(SCHEDULED, self._turn)
        await self.refresh()

    async def _close_and_send(self) -> None:
        await self.daybook.close_days(self.meter.account)
        today = self.today()
        await self._store.prune(
            (today - timedelta(days=40)).isoformat(), (today - timedelta(days=5 * 366)).isoformat()
        )
        await self.deliver()
        await self.refresh()

    async def _every(
        self, seconds: float, work: Callable[[], Awaitable[None]], first: float = 0.0
    ) -> None:
        await asyncio.sleep(first)
        while True:
            try:
                await work()
            except (FilterdError, OSError) as error:
                _log.warning("evidence: %s", error)
            await asyncio.sleep(seconds)


def _opened(stored: list[StoredSummary]) -> list[Summary]:
    return [decode(signing.decode(each.envelope).body) for each in stored]
