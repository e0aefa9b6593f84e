"""The school's line to its office put together: what applies a bundle, who asks a proof's names."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from typing import Any

from filterd import tasks
from filterd.control.owner import Owner
from filterd.evidence.door import office_of
from filterd.evidence.office_link import Folders, OfficeLink
from filterd.evidence.recorder import Recorder
from filterd.evidence.selftest import client
from filterd.lists.refresher import Refresher
from filterd.live import LivePolicy

_log = logging.getLogger("filterd.office")


class OfficeLine:
    """Visits the office regularly while this school is enrolled."""

    def __init__(
        self, recorder: Recorder, keeper: Refresher, owner: Owner, live: LivePolicy
    ) -> None:
        self._recorder, self._values, self._live = recorder, owner.stores.values, live
        # 5 minutes by default, with the jitter at most 7.5: a published name is blocked within 15
        self._every_s = float(owner.settings.office_every)
        lists = keeper.library.store.folder
        folders = Folders(lists.parent / "office", lists / "office")
        self.link = OfficeLink(folders, recorder.key, owner.clock, keeper.reload, self._ask)
        self._loop: asyncio.Task[Any] | None = None

    def start(self) -> None:
        """Begin the visits."""
        self._loop = tasks.spawn(self._visit(), "office-line")

    def stop(self) -> None:
        """End them."""
        if self._loop is not None:
            self._loop.cancel()

    async def _visit(self) -> None:
        while True:
            office = await office_of(self._values)
            if office is not None:
                done = await self.link.round(office)
                if done.error is not None:
                    _log.warning("the office's bundle: %s; version %d stays", done.error,
                                 done.version)  # fmt: skip
                elif done.changed:
                    _log.info("bundle %d of the office is in use", done.version)
            await asyncio.sleep(self._every_s * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load

    async def _ask(self, names: Sequence[str]) -> None:
        """Each name once, on the path of a tier that pupils use."""
        pupils = {str(tier.id) for tier in self._live.running.policy.tiers if tier.pupils}
        lanes = [lane for tier, lane in self._recorder.examiner.lanes().items() if tier in pupils]
        for number, name in enumerate(names):
            if not lanes:
                return
            with contextlib.suppress(OSError, TimeoutError):
                await client.udp(lanes[number % len(lanes)], name, "A")
