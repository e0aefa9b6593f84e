"""Console and portal: web processes that filtering does not depend on, restarted with a pause."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filterd import tasks
from filterd.config import Address

_log = logging.getLogger("filterd.pages")
_PAUSE_SECONDS = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
_LIVED_SECONDS = 30.0


def available(module: str) -> bool:
    """Whether `python -m MODULE` exists in this installation."""
    try:
        return importlib.util.find_spec(f"{module}.__main__") is not None
    except ImportError:
        return False


class Page:
    """One web process, kept alive. It reaches filterd by the control socket alone."""

    def __init__(self, module: str, address: Address, control: Path) -> None:
        self.module = module
        self.address = address
        self.restarts = 0
        self._command: Sequence[str] = (sys.executable, "-m", module, "--listen", str(address))
        key = control.parent.parent / "keys" / f"{module}.forms"
        self._environment = {
            **os.environ,
            "FILTERD_CONTROL": str(control),
            "FILTERD_FORM_KEY_FILE": str(key),
        }
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[Any] | None = None

    @property
    def pid(self) -> int | None:
        """The process that serves now."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    def start(self) -> None:
        """Begin to keep it alive."""
        self._keeper = tasks.spawn(self._keep(), self.module)

    async def _keep(self) -> None:
        quick_deaths = 0
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            self._process = await asyncio.create_subprocess_exec(
                *self._command, env=self._environment, start_new_session=True
            )
            code = await self._process.wait()
            quick_deaths = quick_deaths + 1 if loop.time() - started < _LIVED_SECONDS else 0
            pause = _PAUSE_SECONDS[min(quick_deaths, len(_PAUSE_SECONDS) - 1)]
            _log.warning("%s ended with %s; again in %s s", self.module, code, pause)
            await asyncio.sleep(pause)
            self.restarts += 1

    async def stop(self, seconds: float = 3.0) -> None:
        """End it: asked first, then made to."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)  # by number, as in `worker`: no early reaping
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await process.wait()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            await process.wait()
