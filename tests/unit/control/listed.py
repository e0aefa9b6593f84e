"""A world with lists: one that is shipped, one that would be fetched, and the routes about them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from filterd.control import approvals, lists, own_lists
from filterd.lists.index import open_index
from filterd.lists.library import Library, Surroundings
from filterd.lists.refresher import Hooks, Refresher
from filterd.policy.model import Title
from filterd.policy.verdict import ListIndex
from tests.unit.control.conftest import World

CATALOGUE = """sources:
  - id: shipped
    title: {{vi: kèm theo, en: shipped}}
    category: porn
    file: shipped.txt
  - id: far
    title: {{vi: xa, en: far}}
    category: ads
    url: https://lists.invalid/far.txt
    {far}
"""


async def add_lists(
    world: World, folder: Path, far: str, before: Callable[[Library], None] = lambda _: None
) -> Library:
    """Lists in a folder, compiled and in use; `far` is a further line about the fetched one,
    `before` what happened to them before they were compiled."""
    (folder / "catalogue.yaml").write_text(CATALOGUE.format(far=far))
    (folder / "shipped.txt").write_text("shipped.example\n")
    library = Library(
        Surroundings(
            folder / "lists", folder / "catalogue.yaml", ("porn", "ads"), lambda: {"google.com"}
        )
    )
    running: list[ListIndex] = []

    async def use(path: Path) -> None:
        running.append(open_index(path))

    refresher = Refresher(library, Hooks(use, lambda _path: (), lambda: world.now))
    library.store.prepare()
    with library.store.locked():
        before(library)
        await asyncio.to_thread(library.compile)
    await refresher.reload()
    world.routes.update(lists.routes(world.owner, refresher, lambda: running[-1]))
    world.routes.update(own_lists.routes(world.owner, refresher, lambda key: Title(key, key)))
    world.appliers.update(approvals.again(world.routes, lists.GATED))
    return library
