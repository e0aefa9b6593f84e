"""The verdict on where an answer leads: names behind CNAME, DNAME and SVCB, and addresses.

Asked on every use of an answer, fresh, cached or stale, because the cache is shared by tiers and
outlives policies. Knows no message and no network.
"""

from __future__ import annotations

from filterd.policy.verdict import Asker, Blocked, Question, Rewritten, Step
from filterd.resolve.cache import Cached
from filterd.resolve.placement import Rules
from filterd.wire.names import from_wire


def leads_to(rules: Rules, asker: Asker, qtype: bytes, found: Cached) -> Blocked | Rewritten | None:
    """The verdict of the first target that is not simply allowed.

    In allow-only mode what is not listed stays reachable as the target of what is: sites that
    are allowed live on names of their hosters.
    """
    for target in found.targets:
        verdict = rules.verdict(target + qtype + b"\0\1", asker)
        if isinstance(verdict, Rewritten):
            return verdict
        if isinstance(verdict, Blocked) and verdict.origin.step is not Step.ALLOW_ONLY:
            return verdict
    return None


def refused_addresses(
    rules: Rules, asker: Asker, key: bytes, found: Cached
) -> tuple[Blocked | None, frozenset[bytes]]:
    """(verdict of an address list on the whole answer, addresses to take out of it).

    Private addresses in public answers are taken out (rebinding); an address that a list names
    refuses the answer.
    """
    if not found.addresses:
        return None, frozenset()
    question = Question(from_wire(key[:-4]), key[-4] << 8 | key[-3], asker)
    judge = rules.effective.answer_verdict
    if judge(question, found.addresses) is None:
        return None, frozenset()
    refused: set[bytes] = set()
    for address in found.addresses:
        verdict = judge(question, (address,))
        if verdict is not None and verdict.origin.list is not None:
            return verdict, frozenset()
        if verdict is not None:
            refused.add(address)
    return None, frozenset(refused)
