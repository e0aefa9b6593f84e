"""Under which rules a source asks now: placement, rules in force, and their verdicts.

Everything here is forgotten when the ruleset is swapped or when the time of day changes the
rules. Knows no message and no cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from filterd.metrics import layout
from filterd.metrics.seen import Report, Seen
from filterd.policy.model import TierId
from filterd.policy.verdict import (
    Alias,
    Asker,
    Blocked,
    Placement,
    Question,
    Rewritten,
    Step,
    Verdict,
)
from filterd.resolve.memo import Memo
from filterd.resolve.ports import Clock, Effective, Places, Running
from filterd.resolve.source import Limits, Source, loopback, unmapped
from filterd.wire.names import from_wire, to_wire

MAX_SOURCES = 65_536
_MAX_VERDICTS = 32_768
_STEP_NAMES = 512
_REVIEW_SECONDS = 1.0


class Rules:
    """The rules of one tier until `until` (monotonic); `number` names them in the memo."""

    __slots__ = ("_targets", "_verdicts", "effective", "number", "tier", "tier_id", "until")

    def __init__(self, effective: Effective, number: int, tier_id: TierId, tier: int) -> None:
        self.effective = effective
        self.number = number
        self.tier_id = tier_id
        self.tier = tier
        self.until = math.inf
        self._verdicts: dict[bytes, Verdict] = {}
        self._targets: dict[tuple[bytes, Step], Blocked | None] = {}

    def verdict(self, key: bytes, asker: Asker) -> Verdict:
        """The verdict on a lower-case question (name, type, class in wire form)."""
        found = self._verdicts.get(key)
        if found is not None:
            return found
        qtype = key[-4] << 8 | key[-3]
        verdict = self.effective.verdict(Question(from_wire(key[:-4]), qtype, asker))
        if verdict.shared:
            if len(self._verdicts) >= _MAX_VERDICTS:
                self._verdicts.clear()
            self._verdicts[key] = verdict
        return verdict

    def looked_up(self, key: bytes) -> bytes:
        """The question whose answer serves `key`: another where it is rewritten to an alias."""
        verdict = self._verdicts.get(key)
        if isinstance(verdict, Rewritten) and isinstance(verdict.answer, Alias):
            return to_wire(verdict.answer.target) + key[-4:]
        return key

    def target_verdict(self, key: bytes, asker: Asker, asked: Verdict) -> Blocked | None:
        """The verdict on a name that an answer leads to; None: it may be followed.

        Remembered by the step that judged the question, on which alone it depends besides.
        """
        name = (key, asked.origin.step)
        if name in self._targets:
            return self._targets[name]
        qtype = key[-4] << 8 | key[-3]
        question = Question(from_wire(key[:-4]), qtype, asker)
        verdict = self.effective.target_verdict(question, asked)
        if asked.shared and (verdict is None or verdict.shared):
            if len(self._targets) >= _MAX_VERDICTS:
                self._targets.clear()
            self._targets[name] = verdict
        return verdict


class Harvested(Protocol):
    """Whoever else counts uses of names."""

    def harvest(self) -> list[tuple[int, bytes, int, int]]:
        """(rules, question, uses, tags) since the last time."""

    def harvest_some(self) -> list[tuple[int, bytes, int, int]] | None:
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
        self._rules: dict[tuple[int, TierId, datetime | None], Rules] = {}
        self._review_at = 0.0
        self._numbers = 0
        self._direct = False
        self._harvested: list[tuple[int, bytes, int, int]] = []
        self.answers: Harvested | None = None
        self._rounds: list[Callable[[], list[tuple[int, bytes, int, int]] | None]] = []

    @property
    def running(self) -> Running | None:
        """What is in force; None: nothing can be decided."""
        return self._running

    def swap(self, running: Running) -> None:
        """Put another policy or other lists in force, at once and for everyone."""
        self._harvest_sources()
        self.gather()
        self._running = running
        self._rules = {}
        self._memo.flush()
        self._forget()

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
        """Begin `collect` in steps."""
        self._rounds = [self._memo.harvest_some]
        if self.answers is not None:
            self._rounds.append(self.answers.harvest_some)

    def gather(self) -> None:
        """Fetch all that the memo counted."""
        self._harvested += self._memo.harvest()
        if self.answers is not None:
            self._harvested += self.answers.harvest()

    def step(self) -> bool:
        """One step of at most a millisecond; True while there is more."""
        if not self._harvested and self._rounds:
            found = self._rounds[0]()
            if found is None:
                self._rounds.pop(0)
            else:
                self._harvested = found
        names, self._harvested = self._harvested[:_STEP_NAMES], self._harvested[_STEP_NAMES:]
        by_number = {rules.number: rules for rules in self._rules.values()} if names else {}
        for number, question, uses, tags in names:
            self.seen.name(question[:-4], uses, tags)
            rules = by_number.get(number)
            self._used(question if rules is None else rules.looked_up(question), uses)
        return bool(self._harvested or self._rounds)

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
            rules = self._in_force[placement] = self._effective(running, placement, now)
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

    def _effective(self, running: Running, placement: Placement, now: float) -> Rules:
        at = self._clock()
        effective = running.ruleset.effective(placement, at)
        name = (effective.key, placement.tier, effective.until)
        rules = self._rules.get(name)
        if rules is None:
            self._numbers += 1
            tier = layout.tier_index(placement.tier, running.tiers or layout.STANDARD_TIERS)
            rules = self._rules[name] = Rules(effective, self._numbers, placement.tier, tier)
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
            if self._effective(self._running, placement, now) is not rules:
                self._forget()
                return
            self._review_at = min(self._review_at, rules.until)

    def _forget(self) -> None:
        self._harvest_sources()
        self._sources.clear()
        self._in_force.clear()
        self._memo.forget_sources()
