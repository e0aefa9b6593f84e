"""Canaries: one name per category in every compiled index, so that tests touch no real content.

Contract §5: `<category>.canary.filterd.test` is in that category and in no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from filterd.lists.entry import SUBTREE, Entry
from filterd.lists.memory import Loaded
from filterd.lists.parsed import Parsed, gather
from filterd.lists.precedence import ListMeta
from filterd.policy.model import CategoryId, ListId
from filterd.wire.names import from_text

LIST = ListId("canary")
ZONE = "canary.filterd.test"
CATEGORIES = (
    "csam", "authority", "extremism", "malware", "phishing", "bypass", "porn", "gambling",
    "self_harm", "violence", "drugs", "hate", "dating", "piracy", "games", "social", "video",
    "chat", "genai", "shopping", "ads",
)  # fmt: skip
"""The categories of contract §5, which every index knows whatever lists it holds."""


def canary_lists(more: Iterable[str] = ()) -> Iterator[Loaded]:
    """A list of one name for each category, those of the contract and `more`."""
    for category in dict.fromkeys((*CATEGORIES, *more)):
        meta = ListMeta(LIST, CategoryId(category), "domains")
        entry = Entry(0, from_text(f"{category}.{ZONE}"), SUBTREE)
        yield Loaded(meta, gather((entry,), Parsed()))
