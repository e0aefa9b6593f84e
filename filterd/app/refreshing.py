"""The list refresher put together with the running policy: what goes live, and what may not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

from filterd.config import Settings
from filterd.lists.index import open_index
from filterd.lists.library import Library, Surroundings
from filterd.lists.refresher import Hooks, Refresher, Times
from filterd.live import LivePolicy, own_names


def refresher(settings: Settings, live: LivePolicy, clock: Callable[[], datetime]) -> Refresher:
    """The refresher of this installation; its updates run in the zone of the policy."""

    def protected() -> Collection[str]:
        own = own_names(live.running.policy) if live.loaded else frozenset()
        return live.ground.taxonomy.protected | own

    async def use(path: Path) -> None:
        # After an edit of the school's own list the file is the one that was read whole before.
        verify = path != live.ground.index_path
        await live.use_lists(await asyncio.to_thread(open_index, path, verify), path)

    def check(path: Path) -> tuple[str, ...]:
        return failures(live, path)

    categories = tuple(live.ground.taxonomy.categories)
    folder = settings.state_dir / "lists"
    library = Library(Surroundings(folder, settings.catalogue, categories, protected))
    zone = live.running.policy.time_zone if live.loaded else "Asia/Ho_Chi_Minh"
    return Refresher(library, Hooks(use, check, clock), times=Times(zone=zone))


def failures(live: LivePolicy, path: Path) -> tuple[str, ...]:
    """What the running policy expects and would not get from an index, in words."""
    if not live.loaded:
        return ()
    return tuple(
        f"{failure.tier}: {failure.expectation.name} must be {failure.expectation.outcome},"
        f" is {failure.outcome}"
        for failure in live.failures_on(open_index(path))
    )
