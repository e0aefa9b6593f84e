"""One slot of the fleet: a worker process, its link, its watchdog and its replacement."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from filterd import tasks
from filterd.supervise.forked import Forked
from filterd.supervise.link import Link, LinkError

_log = logging.getLogger("filterd.fleet")
_START_SECONDS = 30.0
_QUICK_DEATH_SECONDS = 5.0
_MAX_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What every worker is started with. `first` gives the frames a new worker begins with; until
    `gate` is set nobody asks for them, the process meanwhile imports what it is made of."""

    first: Callable[[int], Sequence[dict[str, Any]]]
    inherited: Sequence[int]
    command: Sequence[str] = (sys.executable, "-m", "filterd.worker")
    environment: Mapping[str, str] | None = None
    silence_seconds: float = 2.0
    gate: asyncio.Event | None = None
    forked: Sequence[Forked] = ()
    """The first worker of each slot, where they were forked; what replaces it is executed."""


class Process(Protocol):
    """A worker's process, executed or forked."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    async def wait(self) -> int:
        """Its exit code, once it ended."""


class WorkerSlot:
    """Keeps one worker alive: starts it, watches it, replaces it when it dies or falls silent."""

    def __init__(self, number: int, plan: Plan, changed: Callable[[], None]) -> None:
        self.number = number
        self.restarts = 0
        self.link: Link | None = None
        self.process: Process | None = None
        self._plan = plan
        self._changed = changed
        self._stopping = asyncio.Event()
        self._ready = asyncio.Event()
        self._launched = asyncio.Event()
        self._pause = 0.0
        self._forked = plan.forked[number] if number < len(plan.forked) else None

    @property
    def ready(self) -> bool:
        """Whether this slot's worker decides questions now."""
        return self._ready.is_set()

    @property
    def pid(self) -> int | None:
        """The process id of the worker that lives now."""
        return None if self.process is None else self.process.pid

    async def keep(self) -> None:
        """Run workers one after the other until `stop`."""
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                await self._live()
            except (LinkError, OSError) as error:
                _log.warning("worker %d: %s", self.number, error)
            self._ready.clear()
            self._changed()
            if self._stopping.is_set():
                return
            self.restarts += 1
            quick = time.monotonic() - started < _QUICK_DEATH_SECONDS
            self._pause = min(max(self._pause * 2, 0.05), _MAX_PAUSE_SECONDS) if quick else 0.0
            await asyncio.sleep(self._pause)

    async def _live(self) -> None:
        process, ours = await self._begin()
        self.process = process
        self._launched.set()
        reader, writer = await asyncio.open_connection(sock=ours)
        self.link = link = Link(reader, writer)
        listening = tasks.spawn(link.listen(), f"link-{self.number}")
        try:
            if self._plan.gate is not None:
                await self._plan.gate.wait()
            for frame in self._plan.first(self.number):
                await link.request(frame, _START_SECONDS)
            self._ready.set()
            self._changed()
            _log.info("worker %d is ready (pid %d)", self.number, process.pid)
            await self._watch(process, link)
        finally:
            self._ready.clear()
            self.link = None
            _kill(process)
            link.close()
            await process.wait()
            await listening

    async def _begin(self) -> tuple[Process, socket.socket]:
        """A process and our end of its link."""
        forked, self._forked = self._forked, None
        if forked is not None:
            return forked, forked.link
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *self._plan.command, "--link", str(theirs.fileno()),
                pass_fds=[theirs.fileno(), *self._plan.inherited],
                env=None if self._plan.environment is None else dict(self._plan.environment),
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops workers itself
            )  # fmt: skip
        return process, ours

    async def _watch(self, process: Process, link: Link) -> None:
        """Return when the process ends or falls silent; a lag of our own is not its silence."""
        step = self._plan.silence_seconds / 8
        checked = link.last_beat = time.monotonic()
        while process.returncode is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), step)
            now = time.monotonic()
            if now - checked > self._plan.silence_seconds / 2:
                link.last_beat = now
            checked = now
            if now - link.last_beat > self._plan.silence_seconds:
                _log.warning("worker %d (pid %d) is silent: replaced", self.number, process.pid)
                return
        if not self._stopping.is_set():
            _log.warning("worker %d ended with %s: replaced", self.number, process.returncode)

    async def wait_launched(self) -> None:
        """Return once this slot has a process, whether it decides already or not."""
        await self._launched.wait()

    async def wait_ready(self) -> None:
        """Return once this slot's worker has acknowledged everything it begins with."""
        await self._ready.wait()

    async def tell(self, frame: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """Pass a frame to a ready worker; one that will not take it is replaced (gives None)."""
        link = self.link
        if link is None or not self.ready:
            return None  # a new worker begins with the newest state anyway
        try:
            return await link.request(frame, seconds)
        except LinkError as error:
            _log.warning("worker %d: %s: replaced", self.number, error)
            self.kill()
            return None

    def kill(self) -> None:
        """End the worker at once; `keep` starts the next."""
        if self.process is not None:
            _kill(self.process)

    async def stop(self, seconds: float = 3.0) -> None:
        """Ask the worker to finish, then make sure that it has."""
        self._stopping.set()
        process, link = self.process, self.link
        if process is None or process.returncode is not None:
            return
        if link is not None:
            with contextlib.suppress(LinkError):
                await link.request({"do": "stop"}, seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await process.wait()
        _kill(process)
        await process.wait()


def _kill(process: Process) -> None:
    """SIGKILL by number: Popen's own kill may reap the child before asyncio's watcher does."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
