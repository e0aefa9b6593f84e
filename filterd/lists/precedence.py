"""Who wins when several rules of a category speak: one place, one order.

1. Of a list whose authors say "the nearest wins" (RPZ, dnsmasq) only the nearest rules count.
2. `$dnsrewrite` that no exception cancels.
3. `@@`+`$important`, then `$important`, then `@@`, then block (AdGuard, urlfilter).
4. Then the rule with more modifiers, the longer name, the earlier list and line.
5. Answers of hosts lines only when nothing else speaks.

`$badfilter` is older than all of these: it removes rules when the table is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from filterd.lists.entry import EXCEPTION, IMPORTANT, Rewrite
from filterd.lists.types import TYPES
from filterd.policy.model import CategoryId, ListId
from filterd.policy.verdict import Alias, Listing, Local, Question

REWRITE_TTL = 60
RCODES = {
    "NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5,
    "YXDOMAIN": 6, "YXRRSET": 7, "NXRRSET": 8, "NOTAUTH": 9, "NOTZONE": 10,
}  # fmt: skip
NEAREST_FORMATS = frozenset(("rpz", "dnsmasq"))


@dataclass(frozen=True, slots=True)
class ListMeta:
    """What a listing says about its list."""

    id: ListId
    category: CategoryId
    format: str
    file: str | None = None

    @property
    def is_of_office(self) -> bool:
        """Whether the office sent it: the school's own lists take nothing out of it."""
        return self.file is not None and self.file.startswith("office/")

    @property
    def nearest(self) -> bool:
        """Whether the nearest name wins inside this list."""
        return self.format in NEAREST_FORMATS


@dataclass(slots=True)
class Candidate:
    """One rule that speaks about the question. `length`: how much of the name it pins down.

    Not frozen, which would triple its cost, and never seen outside this room.
    """

    list: ListMeta
    line: int
    text: str
    flags: int
    length: int
    modifiers: int = 0
    rewrite: Rewrite | None = None
    personal: bool = False
    silent: bool = False


OTHERS = CategoryId("(others)")
"""Category of listings that decide nothing and only say that another client might be told
something else; no policy blocks it."""


def decide(candidates: Sequence[Candidate], question: Question) -> tuple[Listing, ...]:
    """All listings, the winner of each category before the others of it."""
    if len(candidates) == 1 and candidates[0].rewrite is None and not candidates[0].silent:
        return (_listing(candidates[0]),)
    silent = [candidate for candidate in candidates if candidate.silent]
    by_category: dict[CategoryId, list[Candidate]] = {}
    for candidate in candidates:
        if not candidate.silent:
            by_category.setdefault(candidate.list.category, []).append(candidate)
    found: list[Listing] = []
    for group in by_category.values():
        found += _category(_nearest(group), question)
    if silent:
        meta, text = silent[0].list, silent[0].text
        found.append(Listing(meta.id, OTHERS, text, None, None, exception=True, personal=True))
    return tuple(found)


def _nearest(group: list[Candidate]) -> list[Candidate]:
    if not any(candidate.list.nearest for candidate in group):
        return group
    best: dict[ListId, int] = {}
    for candidate in group:
        best[candidate.list.id] = max(best.get(candidate.list.id, 0), candidate.length)
    return [c for c in group if not c.list.nearest or c.length == best[c.list.id]]


def _category(group: list[Candidate], question: Question) -> list[Listing]:
    plain = sorted((c for c in group if c.rewrite is None), key=_rank)
    strong = [c for c in group if c.rewrite is not None and not c.rewrite.weak]
    weak = [c for c in group if c.rewrite is not None and c.rewrite.weak]
    personal = any(candidate.personal for candidate in group)
    found = _rewritten(_kept(strong), question)
    found += [_listing(candidate) for candidate in plain]
    if not found and weak:
        found = _weak(weak, question)
    if personal and found and not found[0].personal:
        # The winner holds for everyone only if no rule for single clients was weighed against it.
        found[0] = _copy(found[0], personal=True)
    return found


def _rank(candidate: Candidate) -> tuple[int, int, int, int]:
    strength = (candidate.flags & IMPORTANT and 2) + (candidate.flags & EXCEPTION and 1)
    return -strength, -candidate.modifiers, -candidate.length, candidate.line


def _kept(strong: Iterable[Candidate]) -> list[Candidate]:
    """Rewrites that no `@@…$dnsrewrite` takes back."""
    rules = [c for c in strong if not c.flags & EXCEPTION]
    for exception in (c.rewrite for c in strong if c.flags & EXCEPTION):
        assert exception is not None
        rules = [] if exception.empty else [c for c in rules if not _cancels(exception, c.rewrite)]
    return rules


def _cancels(exception: Rewrite, rewrite: Rewrite | None) -> bool:
    assert rewrite is not None
    if exception.target is not None or rewrite.target is not None:
        return exception.target == rewrite.target
    if exception.rcode != "NOERROR":
        return exception.rcode == rewrite.rcode
    return (exception.rcode, exception.type, exception.value) == (
        rewrite.rcode, rewrite.type, rewrite.value,
    )  # fmt: skip


def _rewritten(rules: list[Candidate], question: Question) -> list[Listing]:
    """A CNAME goes first, then an error code, then all records together; to itself: nothing."""
    for candidate in rules:
        rewrite = candidate.rewrite
        if rewrite is not None and rewrite.target is not None:
            if rewrite.target == question.name:
                return []
            return [_listing(candidate, Alias(rewrite.target))]
    for candidate in rules:
        if candidate.rewrite is not None and candidate.rewrite.rcode != "NOERROR":
            return [_listing(candidate, Local(RCODES[candidate.rewrite.rcode]))]
    return [_listing(rules[0], _records(rules, question))] if rules else []


def _weak(rules: list[Candidate], question: Question) -> list[Listing]:
    """Answers of hosts lines; a question of another type finds the name blocked."""
    answer = _records(rules, question)
    return [_listing(rules[0], answer if answer.records else None)]


def _records(rules: Iterable[Candidate], question: Question) -> Local:
    records = tuple(
        (question.name, c.rewrite.type, REWRITE_TTL, c.rewrite.value)
        for c in rules
        if c.rewrite is not None and TYPES.get(c.rewrite.type) == question.qtype
    )
    return Local(0, records)


def _listing(candidate: Candidate, rewrite: Alias | Local | None = None) -> Listing:
    return Listing(
        list=candidate.list.id, category=candidate.list.category, rule=candidate.text,
        file=candidate.list.file, line=candidate.line or None,
        exception=bool(candidate.flags & EXCEPTION), important=bool(candidate.flags & IMPORTANT),
        rewrite=rewrite, personal=candidate.personal,
    )  # fmt: skip


def _copy(listing: Listing, personal: bool) -> Listing:
    return Listing(
        listing.list, listing.category, listing.rule, listing.file, listing.line,
        listing.exception, listing.important, listing.rewrite, personal,
    )  # fmt: skip
