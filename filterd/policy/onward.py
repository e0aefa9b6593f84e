"""Where an answer leads, judged for people who ask why: every name and address behind a question.

The same judgement, in the same order, as `resolve.judge` makes on every answer. Pure: what the
Internet says comes in as an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from filterd.policy.effective import Effective
from filterd.policy.model import Action, Name
from filterd.policy.verdict import Alias, Allowed, Blocked, Question, Rewritten, Verdict


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found at a name: `targets` of CNAME, DNAME and SVCB in order, packed `addresses`.

    `error`: why nothing is known.
    """

    name: Name
    targets: tuple[Name, ...] = ()
    addresses: tuple[bytes, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """One name or address behind a question, and its refusal."""

    text: str
    refusal: Blocked | None = None


Internet = Callable[[Name], Looked | None]
"""What is known of a name; None: nobody asked."""


def looks_up(question: Question, verdict: Verdict) -> Name | None:
    """The name whose answer the client gets; None: it is answered without asking anybody."""
    if isinstance(verdict, Allowed):
        return question.name
    if isinstance(verdict, Rewritten) and isinstance(verdict.answer, Alias):
        return verdict.answer.target
    return None


def follow(
    effective: Effective, question: Question, asked: Verdict, found: Looked
) -> tuple[tuple[Hop, ...], Blocked | None]:
    """The hops up to the one that is refused, and that refusal.

    A private address in a public answer refuses alone, unless it is all there is.
    """
    hops: list[Hop] = []
    for target in found.targets:
        refusal = effective.target_verdict(Question(target, question.qtype), asked)
        hops.append(Hop(target, refusal))
        if refusal is not None:
            return tuple(hops), refusal
    looked = question._replace(name=found.name)
    removed: list[Blocked] = []
    for address in found.addresses:
        refusal = effective.answer_verdict(looked, (address,))
        hops.append(Hop(str(ip_address(address)), refusal))
        if refusal is None:
            continue
        if refusal.origin.list is not None:
            return tuple(hops), refusal
        removed.append(refusal)
    if removed and len(removed) == len(found.addresses):
        return tuple(hops), removed[0]._replace(action=Action.NODATA)
    return tuple(hops), None
