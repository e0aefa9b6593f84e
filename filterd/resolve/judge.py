"""The verdict on where an answer leads: names behind CNAME, DNAME and SVCB, and addresses.

Asked on every use of an answer, fresh, cached or stale, because the cache is shared by tiers and
outlives policies. Knows no message and no network.
"""

from __future__ import annotations

from filterd.policy.verdict import Asker, Blocked, Question, Verdict
from filterd.resolve.cache import Cached
from filterd.resolve.rules import Rules
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


def addresses(
    rules: Rules, asker: Asker, key: bytes, found: Cached
) -> tuple[Blocked | None, frozenset[bytes]]:
    """The refusal by an address list, which refuses the whole answer, and the addresses to take
    out of a public answer because they are private (rebinding)."""
    if not found.addresses:
        return None, _NONE
    question = Question(from_wire(key[:-4]), key[-4] << 8 | key[-3], asker)
    judge = rules.effective.answer_verdict
    if judge(question, found.addresses) is None:
        return None, _NONE
    each = {address: judge(question, (address,)) for address in found.addresses}
    for verdict in each.values():
        if verdict is not None and verdict.origin.list is not None:
            return verdict, _NONE
    return None, frozenset(address for address, verdict in each.items() if verdict is not None)


_NONE: frozenset[bytes] = frozenset()
