"""What must run before a question is answered: sockets, workers, the last policy; then the rest.

Everything else of the supervisor (`service`: database, control, evidence, pages) is imported only
when the workers answer: its imports take longer than all that stands here. Worker processes are
started first of all, because what they import and what is read here do not wait for each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from filterd.app.state_dir import Holder
from filterd.config import Settings
from filterd.documents import Documents
from filterd.metrics import counters
from filterd.supervise import forked
from filterd.supervise.canary import filter_works
from filterd.supervise.fleet import Fleet
from filterd.supervise.forked import Forked
from filterd.supervise.notify import Notifier
from filterd.supervise.proof import prove
from filterd.supervise.sockets import Sockets, open_sockets
from filterd.supervise.worker import Plan
from filterd.tasks import spawn

if TYPE_CHECKING:
    from filterd.live import LivePolicy

_log = logging.getLogger("filterd")
_MAX_LAG_SECONDS = 1.0


class Front:
    """One supervisor's answering part, and the owner of its service. `open`, `start` and `stop`:
    once each."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.closing: list[Callable[[], Any]] = []
        self.neighbours: Callable[[], dict[str, Any]] | None = None
        self._documents = Documents(settings.blocklists)
        self._live: LivePolicy | None = None
        self._fleet: Fleet | None = None
        self._sockets = Sockets()
        self._forked: tuple[Forked, ...] = ()
        self._gate = asyncio.Event()
        self._reloading = self._reload_wanted = False
        self._notifier = Notifier()

    @property
    def live(self) -> LivePolicy:
        """The running policy, once `start` has read it."""
        assert self._live is not None
        return self._live

    @property
    def fleet(self) -> Fleet:
        """The workers, once `start` has made them."""
        assert self._fleet is not None
        return self._fleet

    def open(self) -> None:
        """Take the state directory and the sockets and fork the workers, before there is a loop;
        ConfigError before anything runs when that cannot be."""
        settings = self.settings
        holder = Holder.take(settings.state_dir)
        self.closing.append(holder.release)
        self._sockets = open_sockets(settings.listen, str(settings.source or "filterd.yaml"))
        self.closing.append(self._sockets.close)
        from filterd import serving, worker  # in memory once, for all of us
        from filterd.app.opening import read_first

        assert serving
        read_first(settings, self._documents)
        if forked.possible():
            serve = partial(worker.serve, documents=self._documents)
            self._forked = forked.fork(settings.workers, self._descriptors(), serve)

    def _descriptors(self) -> list[int]:
        return [each.fileno() for each in self._sockets.all()]

    async def start(self, say: Callable[[str], None]) -> None:
        """Start everything that is not open yet."""
        settings = self.settings
        self._fleet = self._workers()
        self.closing.append(self._fleet.stop)
        await self._fleet.launch()
        if settings.pair is not None:
            from filterd.gateway import standing

            standing.tell(settings.state_dir / "run", standing.Standing())  # until compared
        from filterd.app.opening import open_policy

        self._live = await open_policy(settings, self._publish, self._documents)
        if self._live.loaded:
            await self.answer()
        # from here on questions are answered: systemd may know, whatever the database does
        self.closing.append(spawn(prove(self._notifier, self._works), "proof").cancel)
        await asyncio.to_thread(__import__, "filterd.app.service")
        from filterd.app.service import Service

        await Service(self).start(say)

    async def answer(self) -> None:
        """Give the workers the policy; returns when the first of them decides."""
        self._gate.set()
        await self.fleet.start()

    def _workers(self) -> Fleet:
        settings = self.settings
        path = settings.state_dir / "run" / "counters"
        counters.create(path, settings.workers)
        secret = secrets.token_hex(16)

        def first(number: int) -> list[dict[str, Any]]:
            start = {"do": "start", **self._sockets.numbers(), "settings": settings.for_worker(),
                     "counters": str(path), "slot": number, "secret": secret}  # fmt: skip
            if not self.live.enforceable:
                return [start]
            known = [] if self.neighbours is None else [self.neighbours()]
            return [{**start, "hold": True}, *known, self.live.frame()]

        plan = Plan(first, self._descriptors(), gate=self._gate, forked=self._forked)
        return Fleet(settings.workers, plan)

    async def _publish(self, frame: dict[str, Any]) -> None:
        if self._fleet is not None and frame["index"]:
            await self._fleet.tell(frame)

    async def reload(self) -> None:
        """SIGHUP: take newly compiled lists into use; settings need a restart.

        Signals that come while this is under way are one reload more, however many they are.
        """
        self._reload_wanted = True
        if self._reloading:
            return
        self._reloading = True
        try:
            while self._reload_wanted:
                self._reload_wanted = False
                await self._reload()
        finally:
            self._reloading = False

    async def _reload(self) -> None:
        if self._live is None:
            return
        from filterd.app import lists

        try:
            await self._live.use_lists(*await asyncio.to_thread(lists.open_lists, self.settings))
        except Exception as error:
            _log.error("reload: %s; what runs goes on", error)

    async def _works(self) -> bool:
        """Whether a worker is quick enough and the canary questions come out right."""
        lags = [s.lag for s in self.fleet.states() if s.lag is not None]
        if not lags or min(lags) > _MAX_LAG_SECONDS:
            return False
        return await filter_works(self.settings.listen.dns[0])

    async def stop(self) -> None:
        """Stop everything in the reverse order; one part's failure does not keep the others."""
        self._notifier.send("STOPPING=1")
        for close in reversed(self.closing):
            with contextlib.suppress(Exception):
                found = close()
                if asyncio.iscoroutine(found):
                    await found
        self.closing.clear()
