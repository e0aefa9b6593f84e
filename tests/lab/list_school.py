"""A school with a refresher around its lists, a clock to turn, and no service running."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from filterd.lists import fetch
from filterd.lists.gate import Thresholds
from filterd.lists.index import open_index
from filterd.lists.library import Library, Surroundings
from filterd.lists.refresher import Hooks, Refresher, Times
from filterd.lists.status import status
from filterd.lists.update import Fetching, Result
from filterd.policy.verdict import Question
from filterd.wire.names import Name
from tests.lab.list_server import ListServer

START = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


NAMES = "".join(f"bad{i}.example\n" for i in range(400))


class School:
    """A library with a refresher around it, a clock to turn, and what was put in use."""

    def __init__(self, folder: Path, lab: ListServer) -> None:
        self.folder, self.lab = folder, lab
        self.now = START
        self.used: list[Path] = []
        self.against: tuple[str, ...] = ()
        self.sources: list[str] = []
        self.protected = {"google.com", "truong.edu.vn"}
        around = Surroundings(
            folder / "lists", folder / "catalogue.yaml", ("porn", "ads"), lambda: self.protected
        )
        self.library = Library(around)
        self.library.store.prepare()
        limits = fetch.Limits(bytes=8 << 20, idle=0.5, whole=1.5)
        access = fetch.Access(plain_http=True, loopback=True, limits=limits)
        how = Fetching(access, Thresholds(), chance=lambda: 0.0)
        hooks = Hooks(self._use, lambda _path: self.against, lambda: self.now)
        self.refresher = Refresher(self.library, hooks, how, Times(quiet=()))

    async def _use(self, path: Path) -> None:
        self.used.append(path)

    def add(self, list_id: str, url: str, **more: str) -> None:
        extra = "".join(f"\n    {key}: {value}" for key, value in more.items())
        self.sources.append(
            f"  - id: {list_id}\n    title: {{vi: x, en: x}}\n"
            f"    category: porn\n    url: {url}{extra}\n"
        )
        (self.folder / "catalogue.yaml").write_text("sources:\n" + "".join(self.sources))

    def update(self, *ids: str) -> dict[str, tuple[Result, str]]:
        found = asyncio.run(self.refresher.update(ids))
        return {outcome.id: (outcome.outcome, outcome.why) for outcome in found}

    def blocked(self, name: str) -> bool:
        return bool(open_index(self.library.store.index).listings(Question(Name(name), 1)))

    def item(self, list_id: str) -> dict[str, object]:
        items = status(self.library, self.now)["items"]
        return next(item for item in items if item["id"] == list_id)
