"""How long the Internet was up while the filter was not enforcing. Pure arithmetic on ticks.

Knows no clock: the boot's own clock measures durations, the wall clock only says which day they
belong to. What no tick proves is not counted as anything: it is missing, never "up".
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo

from filterd.evidence.service_hours import ServiceHours

MAX_GAP_S = 30.0
"""Two ticks further apart than this prove nothing about the time between them."""
JUMP_S = 5.0
"""The wall clock moved against the boot's clock by more than this: a jump, counted."""
MAX_OFF = timedelta(days=31)
"""A longer time switched off is a clock that cannot be believed."""


class Kind(enum.StrEnum):
    """What a stretch of time was."""

    ENFORCING = "enforcing"
    EXPOSED = "exposed"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Tick:
    """One observation. `boot` names the boot, `uptime` its seconds (CLOCK_BOOTTIME), `wall` is
    None while the clock is not trusted. `internet`/`enforcing` None: not known just now.

    `closed` says that without filterd nothing gets out (in-line, and the firewall was checked).
    """

    boot: str
    uptime: float
    wall: datetime | None
    internet: bool | None
    enforcing: bool | None
    paused: bool = False
    closed: bool = False

    @property
    def kind(self) -> Kind:
        if self.internet is None or self.enforcing is None:
            return Kind.UNKNOWN
        if not self.internet:
            return Kind.OFFLINE
        return Kind.ENFORCING if self.enforcing else Kind.EXPOSED


@dataclass(frozen=True, slots=True)
class Spent:
    """Milliseconds by kind; only ever grows."""

    enforcing: int = 0
    exposed: int = 0
    offline: int = 0
    paused: int = 0

    def plus(self, kind: Kind, ms: int, paused: bool) -> Spent:
        if kind is Kind.UNKNOWN or ms <= 0:
            return self
        grown = replace(self, **{kind.value: getattr(self, kind.value) + ms})
        return replace(grown, paused=grown.paused + ms) if paused else grown


@dataclass(frozen=True, slots=True)
class DayTime:
    """One local day: all of it, and the part within the service hours."""

    whole: Spent = field(default_factory=Spent)
    service: Spent = field(default_factory=Spent)
    jumps: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """Everything counted so far; what is stored and what a restart goes on from."""

    total: Spent = field(default_factory=Spent)
    days: Mapping[date, DayTime] = field(default_factory=dict)
    last: Tick | None = None


def advance(account: Account, tick: Tick, hours: ServiceHours) -> Account:
    """The account after one more observation."""
    before = account.last
    account = replace(account, last=tick)
    if before is None:
        return account
    if before.boot != tick.boot:
        return _after_boot(account, before, tick, hours)
    elapsed = tick.uptime - before.uptime
    account = _note_jump(account, before, tick, hours.zone)
    if elapsed <= 0:
        return account
    near = elapsed <= MAX_GAP_S
    kind = _between(before.kind, tick.kind) if near else _while_down(before, tick)
    return _spend(account, kind, _Stretch(elapsed, tick.wall, before.paused and tick.paused), hours)


@dataclass(frozen=True, slots=True)
class _Stretch:
    seconds: float
    end: datetime | None
    paused: bool = False


def _between(first: Kind, second: Kind) -> Kind:
    """Enforcing only if both ends enforce; exposed if either end is exposed."""
    kinds = {first, second}
    if Kind.EXPOSED in kinds:
        return Kind.EXPOSED
    return first if len(kinds) == 1 else Kind.UNKNOWN


def _while_down(before: Tick, tick: Tick) -> Kind:
    """The supervisor was away but the machine was not.

    Closed when down: pupils had no names and no way out, so offline. Otherwise the method counts
    it as exposure if the Internet was up on either side (requirements §4 I1: "includes reboot").
    """
    if before.closed and tick.closed:
        return Kind.OFFLINE
    return Kind.EXPOSED if before.internet or tick.internet else Kind.UNKNOWN


def _after_boot(account: Account, before: Tick, tick: Tick, hours: ServiceHours) -> Account:
    """A power cut is offline where the box is the way out; the boot itself is time without us."""
    booted = tick.wall - timedelta(seconds=tick.uptime) if tick.wall else None
    if before.closed and booted and before.wall and timedelta() < booted - before.wall < MAX_OFF:
        off = (booted - before.wall).total_seconds()
        account = _spend(account, Kind.OFFLINE, _Stretch(off, booted), hours)
    kind = _while_down(before, tick)
    return _spend(account, kind, _Stretch(tick.uptime, tick.wall), hours)


def _note_jump(account: Account, before: Tick, tick: Tick, zone: tzinfo) -> Account:
    if tick.wall is None:
        return account
    day = tick.wall.astimezone(zone).date()
    if before.wall is None:
        return account
    drift = (tick.wall - before.wall).total_seconds() - (tick.uptime - before.uptime)
    if abs(drift) <= JUMP_S:
        return account
    kept = account.days.get(day, DayTime())
    return replace(account, days={**account.days, day: replace(kept, jumps=kept.jumps + 1)})


def _spend(account: Account, kind: Kind, stretch: _Stretch, hours: ServiceHours) -> Account:
    if kind is Kind.UNKNOWN:
        return account
    total = account.total.plus(kind, round(stretch.seconds * 1000), stretch.paused)
    account = replace(account, total=total)
    if stretch.end is None:
        return account
    days = dict(account.days)
    start = stretch.end - timedelta(seconds=stretch.seconds)
    for day, first, last in _by_day(start, stretch.end, hours.zone):
        kept = days.get(day, DayTime())
        ms = round((last - first).total_seconds() * 1000)
        in_service = round(hours.overlap(first, last) * 1000)
        days[day] = replace(
            kept,
            whole=kept.whole.plus(kind, ms, stretch.paused),
            service=kept.service.plus(kind, in_service, stretch.paused),
        )
    return replace(account, days=days)


def _by_day(
    start: datetime, end: datetime, zone: tzinfo
) -> Iterator[tuple[date, datetime, datetime]]:
    start, end = start.astimezone(zone), end.astimezone(zone)
    while start < end:
        midnight = datetime.combine(start.date() + timedelta(days=1), time(0), zone)
        yield start.date(), start, min(end, midnight)
        start = midnight
