"""A list index in memory for tests: rules by name, with the canaries every real index has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from filterd.policy.model import CategoryId, ListId
from filterd.policy.taxonomy import CATEGORIES
from filterd.policy.verdict import Listing, Question
from filterd.wire.names import ancestors


class FakeIndex:
    """`rules`: name → listings about it and everything below; `addresses`: packed → category."""

    version = "fake"

    def __init__(
        self,
        rules: Mapping[str, Sequence[Listing]] | None = None,
        addresses: Mapping[bytes, str] | None = None,
    ) -> None:
        self.rules = {
            f"{category}.canary.filterd.test": (listing(category, list="canary"),)
            for category in CATEGORIES
        } | dict(rules or {})
        self.addresses = dict(addresses or {})

    def listings(self, question: Question) -> tuple[Listing, ...]:
        return tuple(rule for name in ancestors(question.name) for rule in self.rules.get(name, ()))

    def address_listings(self, packed: bytes) -> tuple[Listing, ...]:
        category = self.addresses.get(packed)
        return (listing(category),) if category else ()


def listing(category: str, rule: str = "rule", list: str = "a-list", **more: bool) -> Listing:
    return Listing(ListId(list), CategoryId(category), rule, f"{list}.txt", 7, **more)
