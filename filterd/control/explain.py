"""`explain`: one name in every tier, from the running ruleset, and where its answer leads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from filterd.control.owner import Owner
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Refusal, Route
from filterd.live import LivePolicy, Running
from filterd.policy import explain as words
from filterd.policy.model import Name
from filterd.policy.onward import Looked
from filterd.policy.verdict import Placement, Question

TYPES = {"A": 1, "AAAA": 28, "HTTPS": 65, "SVCB": 64, "CNAME": 5, "MX": 15, "TXT": 16, "NS": 2,
         "PTR": 12, "SRV": 33, "ANY": 255}  # fmt: skip

Look = Callable[[Name, int], Awaitable[Looked]]
"""Asks upstream for a name and a type; a failure is told in what it gives."""


@dataclass(frozen=True, slots=True)
class Explain:
    """A name as people type it, a type, a time (None: now)."""

    name: str
    type: str = "A"
    at: datetime | None = None


def routes(owner: Owner, live: LivePolicy, look: Look) -> dict[str, Route]:
    """The methods of this noun."""
    noun = _Explain(owner, live, look)
    return {"explain": Route(Explain, Permission.VIEW, noun.explain)}


def typed_name(text: str) -> Name:
    """A domain name from what people type or paste; Refusal when it holds none."""
    try:
        return words.typed_name(text)
    except ValueError:
        raise Refusal(
            "invalid", f"“{text[:80]}” không phải tên miền", f"{text[:80]!r} is not a name"
        ) from None


async def explained(
    running: Running, question: Question, places: list[Placement], at: datetime, look: Look
) -> tuple[tuple[words.Explanation, ...], tuple[Looked, ...]]:
    """The verdicts in these places and what had to be looked up for them.

    A name that every place refuses is asked of nobody.
    """
    names = words.wanted(running.ruleset, question, places, at)
    found = await asyncio.gather(*(look(name, question.qtype) for name in names))
    known = {each.name: each for each in found}
    return words.explain(running.ruleset, question, places, at, known.get), tuple(found)


class _Explain:
    def __init__(self, owner: Owner, live: LivePolicy, look: Look) -> None:
        self._owner = owner
        self._live = live
        self._look = look

    async def explain(self, caller: Caller, request: Explain) -> dict[str, Any]:
        number = TYPES.get(request.type.upper())
        if number is None:
            raise Refusal("invalid", "Kiểu không đúng", f"type is one of {', '.join(TYPES)}")
        name, at = typed_name(request.name), request.at or self._owner.clock()
        running = self._live.running
        places = [Placement(tier.id) for tier in running.policy.tiers]
        verdicts, looked = await explained(running, Question(name, number), places, at, self._look)
        return {
            "name": name,
            "type": request.type.upper(),
            "at": at,
            "revision": running.revision,
            "verdicts": [each.as_json() for each in verdicts],
            "lookups": [shown_lookup(each) for each in looked],
        }


def shown_lookup(found: Looked) -> dict[str, Any]:
    """What was looked up, as the command line reads it."""
    return {
        "name": found.name,
        "targets": list(found.targets),
        "addresses": [each.hex() for each in found.addresses],
        "error": found.error,
    }
