"""Runs the self-test when it is due or asked for, and keeps what came out.

Owns the choice of paths and transports on this machine. Decides nothing about the filter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from filterd.config import Settings
from filterd.errors import EvidenceError
from filterd.evidence.method import Method
from filterd.evidence.ports import Running, School
from filterd.evidence.selftest import client, paths, tally
from filterd.evidence.selftest.checks import Check, plan
from filterd.evidence.selftest.encrypted import Doh, Dot, own_certificate
from filterd.evidence.selftest.paths import Host, Lane
from filterd.evidence.selftest.run import Result, Retry, run
from filterd.evidence.selftest.tally import Counts
from filterd.storage.evidence import EvidenceStore, SelftestRun

AT_ONCE = Retry(attempts=3, pause_s=0.3)
SCHEDULED = Retry(attempts=3, pause_s=100.0)
"""Three tries within five minutes before a scheduled failure is believed (method §4.3)."""


@dataclass(frozen=True, slots=True)
class Examination:
    """One run with its results; `at` is when it ended."""

    at: datetime
    results: tuple[Result, ...]
    counts: Counts

    @property
    def passed(self) -> bool:
        """Every check that could be asked came out right, and every tier could be asked."""
        return self.counts["executed"] > 0 and not any(
            result.passed is False or result.got == "no_path" for result in self.results
        )


class Examiner:
    """The self-test of this machine."""

    def __init__(
        self,
        settings: Settings,
        store: EvidenceStore,
        school: School,
        method: Callable[[], Method],
        own: Callable[[], tuple[Host, ...]] = paths.own_addresses,
    ) -> None:
        self._settings, self._store, self._school = settings, store, school
        self._method, self._own = method, own
        self._busy = asyncio.Lock()

    def lanes(self) -> Mapping[str, Lane]:
        """How each tier can be reached from here now."""
        running = self._school.running()
        if running is None:
            return {}
        return paths.choose(
            running.policy, self._settings.listen.dns, self._own(), self._settings.allow_from
        )

    async def examine(self, retry: Retry = AT_ONCE, turn: int | None = None) -> Examination:
        """Run the whole test and keep its counts; `turn` picks a part of the must-allow pack."""
        running = self._running()
        async with self._busy:
            checks = plan(running.policy, running.taxonomy, self._method(), turn)
            lanes = self.lanes()
            encrypted = self._encrypted()
            try:
                ways = {"udp": client.udp, "tcp": client.tcp, **encrypted}
                results = await run(checks, lanes, ways, retry)
            finally:
                for each in encrypted.values():
                    await each.close()
        found = Examination(self._school.now(), tuple(results), tally.count(results, lanes))
        await self._keep(found)
        return found

    async def ask(self, checks: list[Check]) -> list[Result]:
        """Some checks over UDP at once, not counted anywhere (for the on-site challenge)."""
        return await run(checks, self.lanes(), {"udp": client.udp}, Retry(2, 0.2))

    def _running(self) -> Running:
        running = self._school.running()
        if running is None:
            raise EvidenceError("unavailable", "no policy is running yet")
        return running

    def _encrypted(self) -> dict[str, Dot | Doh]:
        """The encrypted transports that are served here."""
        listen = self._settings.listen
        found: dict[str, Dot | Doh] = {}
        if listen.tls.certificate is not None:
            context = own_certificate(str(listen.tls.certificate))
            if listen.dot:
                found["dot"] = Dot(context, listen.dot)
            if listen.doh:
                found["doh"] = Doh(context, listen.doh)
        return found

    async def _keep(self, found: Examination) -> None:
        counts = found.counts
        zone = ZoneInfo(self._running().policy.time_zone)
        await self._store.add_selftest(
            SelftestRun(
                at=found.at.isoformat(timespec="seconds"),
                day=found.at.astimezone(zone).date().isoformat(),
                scheduled=counts["scheduled"],
                executed=counts["executed"],
                passed=sum(result.passed is True for result in found.results),
                counts=counts,
                failed=[{key: str(value) for key, value in f.items()} for f in counts["failed"]],
            )
        )
