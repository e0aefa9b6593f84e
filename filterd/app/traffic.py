"""Traffic over time: the counters' growth by tier, kept only where enough clients took part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from filterd.app.seen import SeenLately
from filterd.metrics import counters, layout
from filterd.storage.traffic import DAY, QUARTER, CategoryCell, Cell, Traffic

K = 10
_QUARTER = timedelta(seconds=QUARTER)


class TrafficHistory:
    """Polled each minute; closes a step of time when the clock has left it."""

    def __init__(self, store: Traffic, path: Path, seen: SeenLately) -> None:
        self._store = store
        self._path = path
        self._seen = seen
        self._last: Sequence[int] | None = None
        self._steps = {QUARTER: Step(), DAY: Step()}

    async def poll(
        self, local: datetime, tiers: Sequence[str], hidden: Callable[[str], bool]
    ) -> None:
        """Add what was counted since the last poll; `hidden` names the sensitive categories."""
        await self._seen.poll()
        places = counters.total(self._path)
        sources: Counter[str] = Counter()
        for (tier, _, _), count in self._seen.places().items():
            sources[tier] += count
        starts = {QUARTER: _quarter(local), DAY: local.replace(hour=0, minute=0, second=0,
                                                               microsecond=0)}  # fmt: skip
        for step, open_step in self._steps.items():
            if open_step.start is not None and open_step.start != starts[step]:
                refusals = self._seen.refusals(open_step.start.date())
                marks = _marks(refusals, open_step.start if step == QUARTER else None)
                cells, categories = open_step.close(marks, hidden if step == DAY else None)
                await self._store.add(step, cells, categories)
                if step == DAY:
                    self._seen.forget_ended()
            open_step.start = starts[step]
            open_step.add(_growth(self._last, places, tiers), sources)
        self._last = places


class Step:
    """One open step of time."""

    def __init__(self) -> None:
        self.start: datetime | None = None
        self._queries: Counter[str] = Counter()
        self._blocked: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()

    def add(self, growth: dict[str, tuple[int, int]], sources: Counter[str]) -> None:
        """What came since the last poll, and how many sources are placed in each tier."""
        for tier, (queries, blocked) in growth.items():
            self._queries[tier] += queries
            self._blocked[tier] += blocked
        self._sources |= sources

    def close(
        self, marks: dict[tuple[str, str], Counter[str]], hidden: Callable[[str], bool] | None
    ) -> tuple[list[Cell], list[CategoryCell]]:
        """The cells that may be kept; then begin anew."""
        assert self.start is not None
        clients: dict[str, set[str]] = {}
        for (tier, _), by_mark in marks.items():
            clients.setdefault(tier, set()).update(by_mark)
        cells = [
            Cell(
                self.start, tier,
                queries if self._sources[tier] >= K else None,
                self._blocked[tier] if len(clients.get(tier, ())) >= K else None,
            )
            for tier, queries in self._queries.items()
        ]  # fmt: skip
        categories = []
        if hidden is not None:
            day = self.start.date().isoformat()
            categories = [
                CategoryCell(day, tier, category, _released(by_mark))
                for (tier, category), by_mark in marks.items() if not hidden(category)
            ]  # fmt: skip
        self._queries, self._blocked, self._sources = Counter(), Counter(), Counter()
        return cells, categories


def _released(by_mark: Counter[str]) -> int | None:
    """The sum, if at least K clients took part and none made more than half of it."""
    total = sum(by_mark.values())
    if len(by_mark) < K or 2 * max(by_mark.values(), default=0) > total:
        return None
    return total


def _marks(
    refusals: Mapping[tuple[int, str, str], Counter[str]], start: datetime | None
) -> dict[tuple[str, str], Counter[str]]:
    """Client marks by tier and category: of one quarter hour, or of the whole day."""
    wanted = None if start is None else (start.hour * 60 + start.minute) // 15
    found: dict[tuple[str, str], Counter[str]] = {}
    for (slot, tier, category), by_mark in refusals.items():
        if wanted is None or slot == wanted:
            found.setdefault((tier, category), Counter()).update(by_mark)
    return found


def _growth(
    before: Sequence[int] | None, places: Sequence[int], tiers: Sequence[str]
) -> dict[str, tuple[int, int]]:
    """Questions and refusals by tier since `before`; nothing on the first poll."""
    if before is None:
        return {}
    found = {}
    for number, tier in enumerate(tiers[: layout.OTHER_TIER]):
        queries = blocked = 0
        for outcome in range(len(layout.OUTCOMES)):
            for transport in range(len(layout.TRANSPORTS)):
                place = layout.query_place(number, outcome, transport)
                grown = max(0, places[place] - before[place])
                queries += grown
                blocked += grown if outcome == layout.BLOCKED else 0
        found[tier] = (queries, blocked)
    return found


def _quarter(local: datetime) -> datetime:
    return local.replace(minute=local.minute // 15 * 15, second=0, microsecond=0)
