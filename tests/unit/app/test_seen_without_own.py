"""The self-test's own questions are no pupils': they never reach a cell."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from filterd.app.evidence_seen import DayCells
from filterd.app.seen import SeenLately
from filterd.evidence.suppression import Cell
from filterd.metrics.seen import Seen

PORN = 6
MAPPED = bytes(10) + b"\xff\xff"


class OneWorker:
    """A worker's aggregates behind the frames of the link."""

    def __init__(self) -> None:
        self.seen = Seen(b"start")

    def states(self) -> Any:
        return ()

    async def tell(self, frame: dict[str, Any], seconds: float = 5.0) -> list[dict[str, Any]]:
        report = self.seen.take(bytes.fromhex(frame["key"]))
        return [{"refusals": [list(each) for each in report.refusals]}]


async def test_the_box_itself_is_no_client() -> None:
    worker = OneWorker()
    now = datetime(2026, 11, 23, 3, tzinfo=UTC)
    lately = SeenLately(worker, lambda: now, lambda: "Asia/Ho_Chi_Minh")
    lately.own = lambda: ["127.0.11.1"]
    await lately.poll()  # gives the worker the day's key
    for host, uses in ((1, 5_000), (7, 3), (8, 4)):
        worker.seen.blocked("primary", PORN, MAPPED + bytes([127, 0, 11, host]), uses)
    await lately.poll()
    cells = DayCells(lately, lambda: date(2026, 11, 23))
    cells.take()
    (found,) = cells.table(date(2026, 11, 23))["primary"].values()
    assert found == Cell(events=7, clients=2, top=4)
