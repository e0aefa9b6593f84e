"""The readings of the core: what this supervisor can tell a scrape at this moment."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version

from filterd.config import Settings
from filterd.listen import drain
from filterd.lists import columns
from filterd.live import LivePolicy
from filterd.metrics import counters
from filterd.metrics.reading import Kind, Reading, Sample, counter, gauge
from filterd.metrics.traffic import traffic
from filterd.supervise.fleet import Fleet

Source = Callable[[], Iterable[Reading]]


class Readings:
    """Gathers the core's readings and those of every added source."""

    def __init__(self, settings: Settings, live: LivePolicy, fleet: Fleet) -> None:
        self._settings = settings
        self._live = live
        self._fleet = fleet
        self._sources: list[Source] = []

    def add(self, source: Source) -> None:
        """Let another part tell its readings too (lists, evidence)."""
        self._sources.append(source)

    def gather(self) -> Iterator[Reading]:
        """Everything, now."""
        labels = {"version": version("filterd"), "compiled": compiled()}
        yield Reading("build", "What runs", Kind.INFO, (Sample(labels, 1),), local=False)
        yield gauge("policy_revision", "Running policy", self._live.running.revision, local=False)
        text = "Workers replaced since the start"
        yield counter("worker_restarts", text, self._fleet.restarts, local=False)
        yield gauge("workers_ready", "Workers that decide", self._fleet.ready, local=False)
        trusted = float(self._live.at_trusted)
        yield gauge("clock_trusted", "1: schedules follow the clock", trusted, local=False)
        yield from self._traffic()
        for source in self._sources:
            yield from source()

    def _traffic(self) -> Iterator[Reading]:
        path = self._settings.state_dir / "run" / "counters"
        categories = self._live.ground.taxonomy.categories.values()
        sensitive = frozenset(str(each.id) for each in categories if each.sensitive)
        upstreams = self._settings.upstreams or ("system",)
        yield from traffic(counters.total(path), self._live.tiers, upstreams, sensitive)


def compiled() -> str:
    """Which parts run as machine code, and Python's version: `native` when all do, `listen` or
    `lists` when that part alone does, `python` when none does."""
    parts = [name for name, runs in (("listen", drain), ("lists", columns)) if runs.COMPILED]
    found = {0: "python", 1: "".join(parts), 2: "native"}[len(parts)]
    return f"{found}-{platform.python_version()}"
