"""The rules of one tier while they are in force, with the verdicts they gave; and their successors.

Knows no source, no message and no cache.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime

from filterd.policy.model import TierId
from filterd.policy.verdict import Alias, Asker, Blocked, Question, Rewritten, Step, Verdict
from filterd.resolve.ports import Effective
from filterd.wire.names import from_wire, to_wire

_MAX_VERDICTS = 32_768

RulesByName = dict[tuple[int, TierId, datetime | None], "Rules"]
"""By `effective.key`, tier and end."""


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

    def shed(self, count: int) -> bool:
        """Forget so many verdicts; True while there are more (all at once would take long)."""
        for kept in (self._verdicts, self._targets):
            while kept and count:
                kept.popitem()
                count -= 1
        return bool(self._verdicts or self._targets)


@dataclass(slots=True)
class Heirs:
    """Rules of a policy that is about to be in force; `pairs` are (rules now, their successor), of
    one tier and one lineage. `oldest` is the smallest of their numbers."""

    oldest: int
    rules: RulesByName = field(default_factory=dict)
    pairs: list[tuple[Rules, Rules]] = field(default_factory=list)
