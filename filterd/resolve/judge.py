"""The verdict on where an answer leads: names behind CNAME, DNAME and SVCB, and addresses.

Asked on every use of an answer, fresh, cached or stale, because the cache is shared by tiers and
outlives policies. Knows no message and no network.
"""

from __future__ import annotations

from filterd.policy.verdict import Asker, Blocked, Question, Verdict
from filterd.resolve.cache import Cached
from filterd.resolve.placement import Rules
from filterd.wire.names import from_wire


def leads_to(
    rules: Rules, asker: Asker, qtype: bytes, asked: Verdict, found: Cached
) -> Blocked | None:
    """The refusal of the first target that is refused; `asked` is the question's own verdict."""
    for target in found.targets:
        verdict = rules.target_verdict(target + qtype + b"\0\1", asker, asked)
        if verdict is not None:
            return verdict
    return None


def listed_address(rules: Rules, asker: Asker, key: bytes, found: Cached) -> Blocked | None:
    """The refusal by an address list; it refuses the whole answer."""
    for verdict in _judged(rules, asker, key, found).values():
        if verdict.origin.list is not None:
            return verdict
    return None


def private_addresses(rules: Rules, asker: Asker, key: bytes, found: Cached) -> frozenset[bytes]:
    """The addresses to take out of a public answer because they are private (rebinding)."""
    judged = _judged(rules, asker, key, found)
    return frozenset(address for address, verdict in judged.items() if verdict.origin.list is None)


def _judged(rules: Rules, asker: Asker, key: bytes, found: Cached) -> dict[bytes, Blocked]:
    if not found.addresses:
        return {}
    question = Question(from_wire(key[:-4]), key[-4] << 8 | key[-3], asker)
    judge = rules.effective.answer_verdict
    if judge(question, found.addresses) is None:
        return {}
    each = ((address, judge(question, (address,))) for address in found.addresses)
    return {address: verdict for address, verdict in each if verdict is not None}
