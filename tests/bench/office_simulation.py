"""1,000 school devices for a month, with outages, forgeries and wrong clocks; the truth is known.

Each device signs with its own key; what must be taken and what must be refused is written beside
each envelope, and the status that the method must reach beside each story. The post is made once
and delivered to every database.
"""

from __future__ import annotations

import pickle
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from admin_ui.office import assess, register
from admin_ui.office.database import Office
from admin_ui.office.ingest import Gathering
from admin_ui.office.tables import assessments, refusals
from filterd.errors import EvidenceError
from filterd.evidence.records import Summary
from tests.bench.office_history import progress
from tests.lab.office_school import Box, Clock, entry, fresh_office, laboratory, pin, prove

MONTH, DAYS = date(2026, 11, 1), 20
THREADS = 8


def honest(_record: Summary) -> None:
    """A school in order."""


def exposed(record: Summary) -> None:
    record["time"].update(enforcing_s=30_000, exposed_s=6_000)


def amber(record: Summary) -> None:
    """Coverage between the two limits, and a dated promise."""
    record["path"] = {"used_bp": 9300, "active": 120}
    record["governance"]["actions"] = [{"indicator": "I2", "due": "2027-01-31", "text": "AP"}]


def unpromised(record: Summary) -> None:
    record["path"] = {"used_bp": 9300, "active": 120}


def locked_failed(record: Summary) -> None:
    record["selftest"]["block"]["primary"]["porn"] = [11, 12]


def not_inline(record: Summary) -> None:
    record["facility"]["deployment"] = "dns_only"
    record["path"], record["flows"] = None, None


@dataclass
class Story:
    """`keep`: which days are sent; `proof`: rounds of I5b that passed of four (None: none asked);
    `true`: what the status must be."""

    name: str
    change: Callable[[Summary], None]
    true: str
    keep: Callable[[int], bool] = field(default=lambda day: True)
    forge: bool = False
    clock_ahead: bool = False
    spool: bool = False
    proof: int | None = 4


STORIES = (
    Story("in order", honest, "met"),
    Story("in order, no proof asked yet", honest, "conditional", proof=None),
    Story("fakes its canaries, the name server knows", honest, "not_met", proof=3),
    Story("exposed two hours a day", exposed, "not_met"),
    Story("amber with a promise", amber, "conditional"),
    Story("amber without a promise", unpromised, "not_met"),
    Story("a locked canary failed", locked_failed, "not_met"),
    Story("not in-line", not_inline, "conditional"),
    Story("silent since the 8th", honest, "insufficient", keep=lambda day: day <= 8),
    Story("one line cut of two days", honest, "insufficient", keep=lambda day: day not in (9, 10)),
    Story("offline, the spool came at once", honest, "met", spool=True),
    Story("forgeries beside the truth", honest, "met", forge=True),
    Story("exposed, and forged summaries that deny it", exposed, "not_met", forge=True),
    Story("a clock a month ahead on two days", honest, "insufficient", clock_ahead=True),
)
Post = list[tuple[bytes, bool]]
"""What one device sends on one day: envelopes, and whether each must be taken."""


@dataclass
class World:
    """The devices, their stories, and their post of each day in a file."""

    boxes: list[Box]
    stories: dict[str, Story]
    folder: Path

    def day(self, number: int) -> list[Post]:
        found: list[Post] = pickle.loads((self.folder / str(number)).read_bytes())
        return found


def make_world(folder: Path, devices: int) -> World:
    """Everything that is sent in the month, signed once."""
    chance = random.Random(20261121)
    boxes = [Box(entry(n).id) for n in range(devices)]
    stories = {box.school: chance.choice(STORIES) for box in boxes}
    world = World(boxes, stories, folder)
    spools: dict[str, Post] = {box.school: [] for box in boxes}
    for number in range(1, DAYS + 1):
        post = [list(_sent(box, stories[box.school], number, spools[box.school])) for box in boxes]
        (folder / str(number)).write_bytes(pickle.dumps(post))
        progress("simulation: signed", number, DAYS)
    return world


def _sent(box: Box, story: Story, number: int, spool: Post) -> Iterator[tuple[bytes, bool]]:
    day = MONTH + timedelta(days=number - 1)
    if not story.keep(number):
        return
    if story.clock_ahead and number in (5, 6):
        # The box believes it is December: what it signs now is refused for ever.
        keep = box.counter, box.previous
        yield box.day(day + timedelta(days=30), story.change), False
        box.counter, box.previous = keep
        return
    spool.append((box.day(day, story.change), True))
    if story.spool and number < DAYS:
        return
    yield from spool
    truth = spool[-1][0]
    spool.clear()
    if story.forge:
        yield (truth.replace(b'\\"exposed_s\\":6000', b'\\"exposed_s\\":0')
               .replace(b'\\"revision\\":7', b'\\"revision\\":8')), False  # fmt: skip
        yield Box(box.school).day(day, honest), False


def simulation(folder: Path, url: str | None, world: World) -> dict[str, Any]:
    """The month's post into a fresh office, its assessment, and how it compares with the truth."""
    clock = Clock()
    office = fresh_office(folder, clock, url)
    clock.to(MONTH)
    schools = [entry(n, n % 100) for n in range(len(world.boxes))]
    register.load(office, schools, date(2026, 9, 1))
    pin(office, world.boxes, office.moment())
    started = time.perf_counter()
    counted: Counter[str] = Counter()
    gathering = Gathering(office)
    for number in range(1, DAYS + 1):
        clock.to(MONTH + timedelta(days=number))
        with ThreadPoolExecutor(THREADS) as pool:
            for each in pool.map(lambda post: _deliver(gathering, post), world.day(number)):
                counted += each
        progress("simulation: delivered", number, DAYS)
    seconds = time.perf_counter() - started
    laboratory(office)
    asked = {school: story.proof for school, story in world.stories.items()}
    prove(office, "2026-11", {school: n for school, n in asked.items() if n is not None})
    begun, used = time.perf_counter(), time.process_time()
    clock.to(MONTH + timedelta(days=DAYS + 1))
    assess.new_day(office)
    assess.sweep_all(office)
    assessing, cpu = time.perf_counter() - begun, time.process_time() - used
    found = _compared(office, world)
    office.engine.dispose()
    return {
        "devices": len(world.boxes), "stories": len(STORIES), "taken": counted["taken"],
        "refused": counted["refused"], "wrongly_taken": counted["wrongly taken"],
        "wrongly_refused": counted["wrongly refused"],
        "delivered_per_s": round((counted["taken"] + counted["refused"]) / seconds, 1),
        "assessed_per_s": round(len(world.boxes) / assessing, 1),
        "assess_cpu_ms_each": round(cpu / len(world.boxes) * 1000, 1), **found,
    }  # fmt: skip


def _deliver(gathering: Gathering, post: Post) -> Counter[str]:
    said: Counter[str] = Counter()
    for envelope, good in post:
        try:
            gathering.take(envelope)
            said["taken" if good else "wrongly taken"] += 1
        except EvidenceError:
            said["wrongly refused" if good else "refused"] += 1
    return said


def _compared(office: Office, world: World) -> dict[str, Any]:
    query = select(assessments.c.school, assessments.c.status)
    rows = office.rows(query.where(assessments.c.month == "2026-11"))
    reported = {row["school"]: row["status"] for row in rows}
    wrong = Counter(
        (story.name, story.true, reported.get(school))
        for school, story in world.stories.items()
        if reported.get(school) != story.true
    )
    codes = office.rows(select(refusals.c.code, refusals.c.times))
    shown: Counter[str] = Counter()
    for row in codes:
        shown[row["code"]] += row["times"]
    right = len(world.stories) - sum(wrong.values())
    return {
        "statuses_right": f"{right}/{len(world.stories)}",
        "wrong": [[*key, n] for key, n in wrong.most_common(10)],
        "refusals_shown": dict(sorted(shown.items())),
    }  # fmt: skip
