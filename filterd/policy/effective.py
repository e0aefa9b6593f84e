"""The rules in force for one tier and segment at one time, and the ordered decision they make.

The order of `Effective.verdict` is law; each step says why it stands where it stands. Pure: lists
are asked through `ListIndex`, everything else is a look-up by the name and its ancestors.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from filterd.policy import origins, special_names
from filterd.policy.addresses import internal
from filterd.policy.model import CategoryId, Name, Override
from filterd.policy.special_names import Kind
from filterd.policy.tables import Rules, ServiceRule, Tables, filtered, local_answer
from filterd.policy.verdict import (
    Alias,
    Allowed,
    Blocked,
    Listing,
    Origin,
    Question,
    Rewritten,
    Step,
    Verdict,
)
from filterd.wire.names import ancestors

EDE_BLOCKED, EDE_CENSORED = 15, 16


class Effective:
    """Decides. `key` is equal for equal rules; nothing here holds past `until` (None: for ever)."""

    __slots__ = (
        "_floors", "_forward", "_rules", "_tables", "action", "block_ttl", "key", "since", "tier",
        "until",
    )  # fmt: skip

    def __init__(
        self,
        tables: Tables,
        rules: Rules,
        key: int,
        since: datetime | None,
        until: datetime | None,
    ) -> None:
        self._tables, self._rules = tables, rules
        self.key, self.since, self.until = key, since, until
        self.tier, self.action, self.block_ttl = rules.tier, rules.action, rules.block_ttl
        self._floors: tuple[tuple[Step, frozenset[CategoryId]], ...] = (
            (Step.FLOOR_EVERYONE, tables.everyone),
            (Step.FLOOR_PUPILS, tables.pupils if rules.pupils else frozenset()),
        )
        self._forward = Allowed(Origin(Step.FORWARD, ""))

    def verdict(self, question: Question) -> Verdict:
        """What happens to this question: the first step that speaks decides (contract §5)."""
        name = question.name
        above = ancestors(name)
        tables = self._tables
        # Browsers and phones act on these names: a list that wins here switches DoH on.
        special = special_names.find(tables.specials, tables.served, above)
        canary = name in tables.canaries
        if special is not None and not canary:
            return self._special(special, question)
        listings = tables.index.listings(question)
        chosen = None if canary else self._chosen(above)
        # The floor stands before everything a school writes, its own zones included.
        if (listings or self._rules.authority) and (
            floor := self._floor(listings, above, chosen)
        ) is not None:
            return floor
        if (local := self._local(question, above)) is not None:
            return local
        if chosen is not None:
            return self._override(chosen, question, above)
        if (blocked := self._listed(listings, above)) is not None:
            return blocked
        if special is not None:
            return self._special(special, question)
        if (walled := self._allow_only(above)) is not None:
            return walled
        if (search := self._search(question, above)) is not None:
            return search
        return self._allowed(listings) if listings else self._forward

    def target_verdict(self, question: Question, asked: Verdict) -> Blocked | None:
        """Judges a name met in an answer (CNAME, DNAME, SVCB target) to a question judged `asked`.

        Floors always hold. What the school itself allowed, rewrote or serves is judged by nothing
        else; allow-only and safe search look only at the name that was asked, as CDN names of an
        allowed site are on nobody's list.
        """
        above = ancestors(question.name)
        listings = self._tables.index.listings(question)
        chosen = self._chosen(above)
        if (floor := self._floor(listings, above, chosen)) is not None:
            return floor
        own = asked.origin.step in (Step.OVERRIDE, Step.SAFE_SEARCH, Step.LOCAL, Step.SPECIAL)
        if own or self._is_served(above):
            return None
        if chosen is not None:
            return None if chosen[0].allow else self._by_override(chosen[0])
        found = self._listed(listings, above)
        return found if isinstance(found, Blocked) else None

    def answer_verdict(self, question: Question, addresses: Iterable[bytes]) -> Blocked | None:
        """Judges the addresses (4 or 16 octets) of an answer: address lists, then rebinding."""
        index = self._tables.index
        for packed in addresses:
            listings = index.address_listings(packed)
            if not listings and not internal(packed):
                continue  # nearly every address: the name need not be looked at
            above = ancestors(question.name)
            if listings:
                found = self._address(listings, self._chosen(above))
                if found is not None:
                    return found
            if internal(packed) and not self._is_served(above):
                return self._block(origins.REBINDING)
        return None

    def _block(self, origin: Origin, shared: bool = True, ede: int = EDE_BLOCKED) -> Blocked:
        return Blocked(origin, self.action, self.block_ttl, ede, shared)

    def _special(self, special: special_names.Special, question: Question) -> Rewritten:
        known = special.kind is not Kind.CANARY or (
            question.name in self._tables.canaries or question.name == special_names.ALLOWED_CANARY
        )
        if not known:
            special = special_names.Special(special.name, Kind.NXDOMAIN, special.source)
        answer = special_names.answer(
            special, question.name, question.qtype, self._tables.designation
        )
        return Rewritten(Origin(Step.SPECIAL, f"{special.name} ({special.source})"), answer, None)

    def _chosen(self, above: tuple[Name, ...]) -> tuple[Override, bool] | None:
        """The override of the most specific name (ties are settled when rules are made)."""
        overrides = self._rules.overrides
        if overrides:
            for name in above:
                if name in overrides:
                    return overrides[name]
            if not self._rules.pupils:  # a pause: never for pupils, whatever a document says
                return overrides.get(Name(""))
        return None

    def _floor(
        self,
        listings: tuple[Listing, ...],
        above: tuple[Name, ...],
        chosen: tuple[Override, bool] | None,
    ) -> Blocked | None:
        authority = self._rules.authority
        if authority:
            for name in above:
                if name in authority:
                    return self._block(origins.ordered(authority[name]), ede=EDE_CENSORED)
        return self._floored(listings, excepted=chosen is not None and chosen[1])

    def _floored(self, listings: tuple[Listing, ...], excepted: bool) -> Blocked | None:
        """What the floor says about these listings, `excepted` by an approved override."""
        for step, categories in self._floors:
            for listing in listings:
                category = listing.category
                if category not in categories or listing.exception:
                    continue
                if excepted and category not in self._tables.fixed:
                    continue
                if not self._corrected(listing, listings):
                    return self._by_listing(step, listing, listings)
        return None

    def _corrected(self, listing: Listing, listings: tuple[Listing, ...]) -> bool:
        """Whether the floor's own list takes its rule back: no other list may, and never csam."""
        if listing.category in self._tables.fixed:
            return False
        for other in listings:
            if other.list == listing.list and other.category == listing.category:
                return other.exception
        return False

    def _local(self, question: Question, above: tuple[Name, ...]) -> Verdict | None:
        records = self._tables.records.get(question.name)
        if records is not None:
            origin = origins.own(records[0])
            return Rewritten(origin, local_answer(records, question.qtype), None)
        if self._tables.served:
            for name in above:
                if name in self._tables.served:
                    return Allowed(origins.zone(name, name in self._tables.own_zones))
        return None

    def _is_served(self, above: tuple[Name, ...]) -> bool:
        served, records = self._tables.served, self._tables.records
        return any(name in served for name in above) or (bool(above) and above[0] in records)

    def _override(
        self, chosen: tuple[Override, bool], question: Question, above: tuple[Name, ...]
    ) -> Verdict:
        override = chosen[0]
        if not override.allow:
            return self._by_override(override)
        # An allowed search engine still searches safely, unless the school says otherwise.
        if not override.safe_search and (found := self._rewrite(question)) is not None:
            return found
        return Allowed(origins.written(override))

    def _by_override(self, override: Override) -> Blocked:
        return self._block(origins.written(override))

    def _listed(
        self, listings: tuple[Listing, ...], above: tuple[Name, ...]
    ) -> Blocked | Rewritten | None:
        """Services, then categories; a list's exception cancels its own category alone."""
        rule = self._service(above)
        if rule is not None and not rule.allow and not rule.by_category:
            return self._block(rule.origin)
        if not listings:
            return self._block(rule.origin) if rule is not None and rule.by_category else None
        spared = rule.service.category if rule is not None and rule.allow else None
        judged: set[CategoryId] = set()
        for listing in listings:
            category = listing.category
            if category in judged:
                continue
            judged.add(category)
            if listing.exception or category == spared or category not in self._rules.blocked:
                continue
            if listing.rewrite is not None:
                origin, shared = origins.listed(Step.CATEGORY, listing), origins.shared(listings)
                return Rewritten(origin, listing.rewrite, shared=shared)
            return self._by_listing(Step.CATEGORY, listing, listings)
        if rule is not None and rule.by_category and rule.service.category not in judged:
            return self._block(rule.origin)
        return None

    def _service(self, above: tuple[Name, ...]) -> ServiceRule | None:
        services = self._rules.services
        if services:
            for name in above:
                if name in services:
                    return services[name]
        return None

    def _by_listing(self, step: Step, listing: Listing, listings: tuple[Listing, ...]) -> Blocked:
        ede = EDE_CENSORED if listing.category == origins.AUTHORITY else EDE_BLOCKED
        return self._block(origins.listed(step, listing), origins.shared(listings), ede)

    def _address(
        self, listings: tuple[Listing, ...], chosen: tuple[Override, bool] | None
    ) -> Blocked | None:
        floor = self._floored(listings, excepted=chosen is not None and chosen[1])
        if floor is not None or (chosen is not None and chosen[0].allow):
            return floor
        judged: set[CategoryId] = set()
        for listing in listings:
            first = listing.category not in judged
            judged.add(listing.category)
            if first and not listing.exception and listing.category in self._rules.blocked:
                return self._by_listing(Step.CATEGORY, listing, listings)
        return None

    def _allow_only(self, above: tuple[Name, ...]) -> Blocked | None:
        if not self._rules.allow_only or any(name in self._rules.allowed for name in above):
            return None
        return self._block(Origin(Step.ALLOW_ONLY, "allow_only", file=f"{self.tier}.yaml"))

    def _search(self, question: Question, above: tuple[Name, ...]) -> Verdict | None:
        if (found := self._rewrite(question)) is not None:
            return found
        if self._rules.unsafe:
            for name in above:
                if name in self._rules.unsafe:
                    return self._block(
                        Origin(Step.SAFE_SEARCH, f"{name} (unsafe_engines)", file="safesearch.yaml")
                    )
        return None

    def _rewrite(self, question: Question) -> Rewritten | None:
        found = self._rules.rewrites.get(question.name)
        if found is None:
            return None
        engine, target, line = found
        origin = Origin(Step.SAFE_SEARCH, engine, file="safesearch.yaml", line=line)
        if isinstance(target, Alias):
            return Rewritten(origin, target)
        return Rewritten(origin, filtered(question.name, question.qtype, target))

    def _allowed(self, listings: tuple[Listing, ...]) -> Allowed:
        """Forwarded although lists speak of the name: by an exception, or of open categories."""
        shared = origins.shared(listings)
        for listing in listings:
            if listing.exception and listing.category in self._rules.blocked:
                return Allowed(origins.listed(Step.EXCEPTION, listing), shared)
        return self._forward if shared else Allowed(self._forward.origin, shared)
