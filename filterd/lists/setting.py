"""The library of an installation, put together from its settings; for the command line."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from filterd.config import Settings
from filterd.lists.library import Library, Surroundings
from filterd.policy import taxonomy
from filterd.wire.names import Name

Own = Callable[[taxonomy.Taxonomy], Collection[str]]
"""The school's own names, which no list blocks, as far as the caller knows them."""


def library(settings: Settings, own: Own = lambda _words: ()) -> Library:
    """Catalogue, categories and protected names of `settings.blocklists`, state in `state_dir`."""
    words = taxonomy.load(settings.blocklists)

    def protected() -> Collection[str]:
        return words.protected | frozenset(Name(name) for name in own(words))

    categories = tuple(words.categories)
    folder = Path(settings.state_dir) / "lists"
    return Library(Surroundings(folder, Path(settings.catalogue), categories, protected))
