"""Under which rules a source asks now: its placement and the rules in force.

Everything here is forgotten when the ruleset is swapped or when the time of day changes the
rules. Knows no message and no cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from filterd.metrics import layout
from filterd.metrics.seen import Names, Report, Seen
from filterd.policy.verdict import (
    Placement,
)
from filterd.resolve.memo import LINEAGE, Memo
from filterd.resolve.ports import Clock, Places, Running
from filterd.resolve.rules import Heirs, Rules, RulesByName
from filterd.resolve.source import Limits, Source, loopback, unmapped

MAX_SOURCES = 65_536
_STEP_NAMES = 128
_STEP_VERDICTS = 512
_REVIEW_SECONDS = 1.0
_LINEAGE_BITS = LINEAGE.bit_length()


class Harvested(Protocol):
    """Whoever else counts uses of names."""

    def harvest(self, names: Names, /) -> list[tuple[int, bytes, int, int]]:
        """Tell the names used since the last time; (rules, question, uses, tags) of what the cache
        may have."""

    def harvest_some(self, names: Names, /) -> list[tuple[int, bytes, int, int]] | None:
        """The same a little at a time; None when everything had its turn."""


class Placements:
    """The sources seen lately and the rules in force for them.

    `used(question, uses)` is told what the memo repeated, so that a popular answer is known as
    such though the handler never sees who asks for it.
    """

    def __init__(
        self,
        memo: Memo,
        seen: Seen,
        clock: Clock,
        allowed: Callable[[bytes], bool],
        limits: Limits,
        used: Callable[[bytes, int], None] = lambda key, uses: None,
    ) -> None:
        self._used = used
        self._memo = memo
        self.seen = seen
        self._clock = clock
        self._allowed = allowed
        self._limits = limits
        self._running: Running | None = None
        self._sources: dict[tuple[bytes, str | None], Source] = {}
        self._in_force: dict[Placement, Rules] = {}
        self._rules: RulesByName = {}
        self._over: list[Rules] = []
        self._review_at = 0.0
        self._numbers = 0
        self._direct = False
        self._harvested: list[tuple[int, bytes, int, int]] = []
        self.answers: Harvested | None = None
        self._rounds: list[Callable[[Names], list[tuple[int, bytes, int, int]] | None]] = []

    @property
    def running(self) -> Running | None:
        """What is in force; None: nothing can be decided."""
        return self._running

    def foresee(self, running: Running) -> None:
        """Let a ruleset make the rules that those in force would be replaced by; in a thread."""
        at = self._clock()
        for placement in tuple(self._in_force):
            running.ruleset.effective(placement, at)

    def heirs(self, running: Running, now: float) -> Heirs:
        """The rules that will replace those in force when `running` is: for `swap`, and for who
        carries responses over to them meanwhile."""
        found = Heirs(self._numbers + 1 << _LINEAGE_BITS)
        known = set()
        for placement, old in self._in_force.items():
            new = self._effective(running, placement, now, found.rules, old.number)
            alike = (new.tier_id, new.tier) == (old.tier_id, old.tier)
            if alike and (new.number ^ old.number) & LINEAGE == 0 and old.number not in known:
                known.add(old.number)
                found.pairs.append((old, new))
        return found

    def swap(self, running: Running, heirs: Heirs | None = None) -> None:
        """Put another policy or other lists in force, at once and for everyone. Of the memo only
        what was carried over to `heirs` is used any more; `step` forgets the rest."""
        self._harvest_sources()
        heirs = heirs or Heirs(self._numbers + 1 << _LINEAGE_BITS)
        self._running = running
        self._over += self._rules.values()
        self._rules = heirs.rules
        self._memo.retire(heirs.oldest)
        self._memo.outline(running.outline)
        self._forget()
        self.begin()

    def settle(self, places: Places) -> None:
        """Place everyone anew; the rules stay (the neighbour table changed)."""
        if self._running is not None:
            self._running = replace(self._running, places=places)
        self._forget()

    def watch(self, direct: bool) -> None:
        """`direct`: the memo answers nobody, so that every query passes the handler."""
        self._direct = direct
        self._forget()

    def take_seen(self, key: bytes) -> Report:
        """What was seen since the last time, and a new key for client marks."""
        self.collect()
        report = self.seen.take(key)
        self._forget()
        return report

    def begin(self) -> None:
        """Begin to collect in steps."""
        self._rounds = [self._memo.harvest_some]
        if self.answers is not None:
            self._rounds.append(self.answers.harvest_some)

    def gather(self) -> None:
        """Fetch all that the memo counted."""
        self._harvested += self._memo.harvest(self.seen.names)
        if self.answers is not None:
            self._harvested += self.answers.harvest(self.seen.names)

    def step(self) -> bool:
        """One step of at most a millisecond; True while there is more."""
        if not self._harvested and self._rounds:
            found = self._rounds[0](self.seen.names)
            if found is None:
                self._rounds.pop(0)
            else:
                self._harvested = found
        names, self._harvested = self._harvested[:_STEP_NAMES], self._harvested[_STEP_NAMES:]
        by_number = {r.number: r for r in (*self._over, *self._rules.values())} if names else {}
        for number, question, uses, _tags in names:
            rules = by_number.get(number)
            self._used(question if rules is None else rules.looked_up(question), uses)
        if not names and self._over and not self._over[-1].shed(_STEP_VERDICTS):
            self._over.pop()
        return bool(self._harvested or self._rounds or self._over)

    def collect(self) -> None:
        """Bring what the memo counted to what the handler counted."""
        self.gather()
        while self.step():
            pass
        self._harvest_sources()

    def _harvest_sources(self) -> None:
        tiers = {rules.number: rules.tier_id for rules in self._rules.values()}
        for source, number, tally, uses in self._memo.harvest_sources():
            if number in tiers:
                self.seen.blocked(tiers[number], tally, source, uses)

    def settled(self) -> dict[Placement, int]:
        """How many sources were lately seen in each place."""
        found: dict[Placement, int] = {}
        for source in self._sources.values():
            found[source.placement] = found.get(source.placement, 0) + 1
        return found

    def find(self, address: bytes, device: str | None, now: float) -> Source | None:
        """The source of a 16-octet address; None while no policy is in force."""
        if now >= self._review_at:
            self._review(now)
        source = self._sources.get((address, device))
        if source is None and self._running is not None:
            source = self._place(self._running, address, device, now)
        return source

    def _place(self, running: Running, address: bytes, device: str | None, now: float) -> Source:
        packed = unmapped(address)
        placement = running.places.place(packed, device)
        rules = self._in_force.get(placement)
        if rules is None:
            rules = self._effective(running, placement, now, self._rules)
            self._in_force[placement] = rules
            self._review_at = min(self._review_at, rules.until)
        if len(self._sources) >= MAX_SOURCES:
            self._sources.clear()
        allowed = self._allowed(packed)
        source = Source(address, placement, rules, allowed, self._limits)
        source.tag = self.seen.tag(address)
        self._sources[address, device] = source
        if allowed and device is None and not self._direct:
            rate = 0.0 if loopback(address) else self._limits.rate
            self._memo.place(address, rules.number, source.tag, rate, self._limits.burst)
        return source

    def _effective(
        self, running: Running, placement: Placement, now: float, among: RulesByName,
        lineage: int | None = None,
    ) -> Rules:  # fmt: skip
        at = self._clock()
        effective = running.ruleset.effective(placement, at)
        name = (effective.key, placement.tier, effective.until)
        rules = among.get(name)
        if rules is None:
            self._numbers += 1
            number = self._numbers << _LINEAGE_BITS
            number |= (self._numbers if lineage is None else lineage) & LINEAGE
            tier = layout.tier_index(placement.tier, running.tiers or layout.STANDARD_TIERS)
            rules = among[name] = Rules(effective, number, placement.tier, tier)
        # measured anew each time: the wall clock may have been set since
        rules.until = math.inf
        if at is not None and effective.until is not None:
            rules.until = now + max(0.0, (effective.until - at) / timedelta(seconds=1))
        return rules

    def _review(self, now: float) -> None:
        """Once a second, and when a period begins: are these still the rules?"""
        self._review_at = now + _REVIEW_SECONDS
        if self._running is None:
            return
        for placement, rules in self._in_force.items():
            if self._effective(self._running, placement, now, self._rules) is not rules:
                self._forget()
                return
            self._review_at = min(self._review_at, rules.until)

    def _forget(self) -> None:
        self._harvest_sources()
        self._sources.clear()
        self._in_force.clear()
        self._memo.forget_sources()
