"""What of the memo holds under rules that are about to be in force, found out before they are.

A swap that drops every response makes all names be judged anew at once, and questions wait for
that. So before it, a little at a time between queries and what is asked most first, each question
is judged under the new rules too; where its response rests on the same grounds it is carried over.
The verdicts are those of `rules.Rules`; the steps are those of `handler`.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from filterd.pauses import uncollected
from filterd.policy.verdict import Alias, Allowed, Asker, Blocked, Local, Rewritten, Verdict
from filterd.resolve.cache import Cache, Cached
from filterd.resolve.inflight import USABLE
from filterd.resolve.judge import addresses, leads_to
from filterd.resolve.memo import Memo
from filterd.resolve.placement import Placements
from filterd.resolve.ports import Running
from filterd.resolve.rules import Heirs, Rules
from filterd.resolve.synthesis import ALIAS_MOST, LOCAL_NEGATIVE_TTL
from filterd.wire import constants as c
from filterd.wire.names import to_wire

CARRY_SECONDS = 0.3
"""So long a change may wait for this; what is left is judged anew when it is asked."""
SLICE_SECONDS = 0.001
_NOBODY = Asker()
"""Only what holds for every asker is in the memo."""
_USES = 33


class Grounds(NamedTuple):
    """What a response rests on: on equal grounds the same one is built.

    It was stored at `since_ms` or later, may be repeated until `until`, and its TTLs reach to
    `reach` at most, all monotonic.
    """

    meaning: tuple[object, ...]
    since_ms: int
    until: float
    reach: float


Look = Callable[[bytes], tuple[Cached, bool] | None]
"""See `Cache.look`."""


class Ground:
    """The grounds of responses under one set of rules; None: such a response is not memoised, or
    what it rests on is not here any more."""

    __slots__ = ("_look", "_portal", "_rules")

    def __init__(self, rules: Rules, portal: tuple[bytes, ...], look: Look) -> None:
        self._rules = rules
        self._portal = portal
        self._look = look

    def of(self, key: bytes, now: float) -> Grounds | None:
        """Of the response to a lower-case question."""
        verdict = self._rules.verdict(key, _NOBODY)
        if not verdict.shared:
            return None
        if isinstance(verdict, Blocked):
            return self._refusal(verdict, 0, math.inf)
        if isinstance(verdict, Allowed):
            return self._answered(key, key, verdict, now)
        return self._rewritten(key, verdict, now)

    def _refusal(self, verdict: Blocked, since: int, until: float) -> Grounds:
        origin = verdict.origin
        told = (verdict.action, verdict.ttl, verdict.ede, origin.category, origin.step)
        until = min(until, self._rules.until - verdict.ttl)
        return Grounds(("blocked", *told, self._portal), since, until, 0.0)

    def _rewritten(self, key: bytes, verdict: Rewritten, now: float) -> Grounds | None:
        answer, qtype = verdict.answer, key[-4] << 8 | key[-3]
        if isinstance(answer, Alias) and qtype in (c.A, c.AAAA):
            return self._aliased(key, verdict, answer, now)
        records = answer.records if isinstance(answer, Local) else ()
        longest = max((record[2] for record in records), default=LOCAL_NEGATIVE_TTL)
        until = self._rules.until - ALIAS_MOST
        meaning = ("local", isinstance(answer, Alias) or answer, verdict.ede)
        return Grounds(meaning, 0, until, now + longest)

    def _aliased(self, key: bytes, verdict: Rewritten, alias: Alias, now: float) -> Grounds | None:
        """As the handler takes the alias's names in their order, past those that do not exist."""
        since = 0
        for target in (alias.target, *alias.others):
            asked = to_wire(target) + key[-4:]
            found = self._look(asked)
            if found is None or now >= found[0].expires:
                return None
            since = max(since, _since(*found))
            if found[0].rcode != c.NXDOMAIN:
                break
        grounds = self._answered(key, asked, verdict, now)
        if grounds is None:
            return None
        # a refusal of where the alias leads is told in the way of every refusal
        more = () if grounds.meaning[0] == "blocked" else (asked, verdict.ede)
        return grounds._replace(meaning=(*grounds.meaning, *more), since_ms=since)

    def _answered(self, key: bytes, asked: bytes, verdict: Verdict, now: float) -> Grounds | None:
        """What is held as the answer to `asked`, and the verdict on where it leads."""
        found, rules = self._look(asked), self._rules
        if found is None or found[0].rcode not in USABLE or now >= found[0].expires:
            return None
        held, since = found[0], _since(*found)
        refusal = leads_to(rules, _NOBODY, asked[-4:-2], verdict, held) if held.targets else None
        private: frozenset[bytes] = frozenset()
        if refusal is None:
            refusal, private = addresses(rules, _NOBODY, asked, held)
        if refusal is not None:
            return self._refusal(refusal, since, held.expires) if refusal.shared else None
        return Grounds(("answer", key, private), since, rules.until, held.expires + 1)


def _since(held: Cached, renewed: bool) -> int:
    """From which millisecond on a response rests on this answer and on none before it."""
    return int(held.born * 1000 + 1e-3) + renewed


class Succession:
    """Carries responses over to `heirs` step by step."""

    def __init__(
        self,
        memo: Memo,
        heirs: Heirs,
        portals: tuple[tuple[bytes, ...], ...],
        cache: Cache,
        outline: object | None,
    ) -> None:
        """`portals` are the addresses of the portal until now and from now on, `outline` that of
        the names from now on."""
        self._memo, self._outline = memo, outline
        before, after = portals
        look = lru_cache(maxsize=4)(cache.look)  # both look at the same, one right after the other
        self._look_anew = look.cache_clear
        self._pairs = {
            old.number: (old, new, Ground(old, before, look), Ground(new, after, look))
            for old, new in heirs.pairs
        }
        self._listed = not self._pairs
        self._known: dict[int, set[bytes]] = {number: set() for number in self._pairs}
        # octets and numbers apart: the collector looks at every pair of them again and again
        self._waiting: list[tuple[list[bytes], list[int]]] = [([], []) for _ in range(_USES)]
        self.judged = self.carried = 0

    def step(self, monotonic: Callable[[], float]) -> bool:
        """A slice of work; True while there is more."""
        until = monotonic() + SLICE_SECONDS
        self._look_anew()
        while (now := monotonic()) < until:
            if not self._listed:
                self._list()
            elif not self._waiting:
                return False
            elif (most := self._waiting[-1])[0]:
                self._judge(most[0].pop(), most[1].pop(), now)
            else:
                self._waiting.pop()
        return True

    def _list(self) -> None:
        """A few more of the questions that are held, by how often they were used."""
        rows = self._memo.held_some(self._outline)
        if rows is None:
            self._listed = True
            return
        for number, question, uses in rows:
            known = self._known.get(number)
            if known is not None and question not in known:
                known.add(question)
                questions, numbers = self._waiting[uses.bit_length()]
                questions.append(question)
                numbers.append(number)

    def _judge(self, question: bytes, number: int, now: float) -> None:
        old, new, before, after = self._pairs[number]
        self.judged += 1
        was, will = before.of(question, now), after.of(question, now)
        if was is None or will is None or was.meaning != will.meaning:
            return
        # a TTL never outlives the rules, so where they end otherwise it must not have been cut
        ends = min(old.until, new.until)
        if old.effective.until != new.effective.until and max(was.reach, will.reach) > ends:
            return
        until = 1 << 62 if will.until == math.inf else int(will.until * 1000)
        self.carried += self._memo.carry(number, new.number, question, will.since_ms, until)


async def prepare(
    placements: Placements, memo: Memo, cache: Cache, running: Running
) -> Heirs | None:
    """The rules of `running` with what they inherit, for `Placements.swap`; in 0.3 s at most."""
    before = placements.running
    if before is None:
        return None
    # rules take milliseconds to make; the ruleset remembers them
    await asyncio.to_thread(placements.foresee, running)
    began = time.monotonic()
    heirs = placements.heirs(running, began)
    portals = (before.portal, running.portal)
    succession = Succession(memo, heirs, portals, cache, running.outline)
    until = began + CARRY_SECONDS
    with uncollected():
        while succession.step(time.monotonic):
            if time.monotonic() > until:
                break
            await asyncio.sleep(0)  # the sockets' turn
    return heirs
