"""The office with 1,000 schools and 24 months: `python -m tests.bench.bench_office [--quick]`.

Three measurements, each on SQLite and on a private PostgreSQL (skipped with the reason where
Debian's server is not installed): server time of every page, ingest through the whole path
(verify, decode, judge, commit) by several processes, and a simulation of devices whose true
statuses are known.

What is real and what is seeded: the simulation's summaries are signed by each device's own key
and go through the ingest; the history behind the pages is written straight into the tables (to sign
650,000 summaries would take an hour), with the row counts and sizes that ingest leaves.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update

from admin_ui.office import assess, ingest, register
from admin_ui.office.database import Office, ensure_month, months_back, open_office
from admin_ui.office.tables import assessments, devices, failing, schools, summaries
from filterd.errors import EvidenceError
from filterd.evidence.records import Summary
from tests.lab.office_school import Box, Clock, entry, fresh_office
from tests.lab.private_postgres import binaries, postgres

TODAY = date(2026, 11, 21)
COMMUNES = 100


@dataclass
class Size:
    schools: int
    months: int
    ingest: int
    devices: int


FULL = Size(1000, 24, 6000, 1000)
QUICK = Size(200, 24, 600, 60)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a fifth of everything")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", choices=("pages", "ingest", "simulation"), action="append")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), action="append")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    found: dict[str, Any] = {"size": vars(size)}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="office-bench-")))
        for engine in options.engine or ("sqlite", "postgresql"):
            if engine == "postgresql" and binaries() is None:
                found[engine] = "skipped: Debian's postgresql is not installed"
                continue
            here = folder / engine
            here.mkdir()
            url = stack.enter_context(postgres(here)) if engine == "postgresql" else None
            parts = options.part or ("pages", "ingest", "simulation")
            found[engine] = measure(here, url, size, parts)
    print(json.dumps(found, indent=1) if options.json else told(found))
    return 0


def measure(folder: Path, url: str | None, size: Size, parts: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    jobs: dict[str, Callable[[Path, str | None, Size], Any]] = {
        "simulation": simulation, "ingest": ingest_rate, "pages": pages,
    }  # fmt: skip
    for name, job in jobs.items():
        if name in parts:
            here = folder / name
            here.mkdir()
            print(f"{folder.name}: {name} …", file=sys.stderr)
            found[name] = job(here, database(url, name), size)
    return found


def database(url: str | None, name: str) -> str | None:
    """A database of its own for each part."""
    if url is None:
        return None
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE bench_{name}".encode())
    return url.rsplit("/", 1)[0] + f"/bench_{name}"


# The simulation: what a device does is known, what the office says must agree.


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
    """`days`: which days are sent (by age in days); `true`: what the status must be."""

    name: str
    change: Callable[[Summary], None]
    true: str
    keep: Callable[[int], bool] = field(default=lambda day: True)
    forge: bool = False
    clock_ahead: bool = False
    spool: bool = False


STORIES = (
    Story("in order", honest, "conditional"),
    Story("exposed two hours a day", exposed, "not_met"),
    Story("amber with a promise", amber, "conditional"),
    Story("amber without a promise", unpromised, "not_met"),
    Story("a locked canary failed", locked_failed, "not_met"),
    Story("not in-line", not_inline, "conditional"),
    Story("silent since the 8th", honest, "insufficient", keep=lambda day: day <= 8),
    Story("one line cut of two days", honest, "insufficient", keep=lambda day: day not in (9, 10)),
    Story("offline, the spool came at once", honest, "conditional", spool=True),
    Story("forgeries beside the truth", honest, "conditional", forge=True),
    Story("exposed, and forged summaries that deny it", exposed, "not_met", forge=True),
    Story("a clock a month ahead on two days", honest, "insufficient", clock_ahead=True),
)
"""Best here is "conditional": I5b and I6 have no facts in this month, which caps every status."""


def simulation(folder: Path, url: str | None, size: Size) -> dict[str, Any]:
    clock = Clock()
    office = fresh_office(folder, clock, url)
    clock.to(date(2026, 11, 1))
    chance = random.Random(20261121)
    stories = {}
    boxes = []
    register.load(office, [entry(n, n % COMMUNES) for n in range(size.devices)], date(2026, 9, 1))
    for n in range(size.devices):
        box = Box(entry(n).id)
        pin(office, box)
        boxes.append(box)
        stories[box.school] = chance.choice(STORIES)
    sent = refused = 0
    started = time.perf_counter()
    spools: dict[str, list[bytes]] = {box.school: [] for box in boxes}
    for number in range(1, 21):
        clock.to(date(2026, 11, number + 1))
        for box in boxes:
            a, b = one_day(office, box, stories[box.school], number, spools[box.school])
            sent, refused = sent + a, refused + b
    seconds = time.perf_counter() - started
    clock.to(TODAY + timedelta(days=1))
    assess.new_day(office)
    begun = time.perf_counter()
    assess.sweep_all(office)
    assessing = time.perf_counter() - begun
    query = select(assessments.c.school, assessments.c.status).where(
        assessments.c.month == "2026-11"
    )
    reported = {row["school"]: row["status"] for row in office.rows(query)}
    wrong = [
        (stories[s].name, stories[s].true, reported.get(s))
        for s in stories
        if reported.get(s) != stories[s].true
    ]
    office.engine.dispose()
    return {
        "devices": size.devices, "stories": len({s.name for s in stories.values()}),
        "summaries": sent, "refused": refused, "seconds": round(seconds, 1),
        "assess_per_s": round(size.devices / assessing, 1),
        "statuses_right": f"{len(stories) - len(wrong)}/{len(stories)}",
        "wrong": sorted(set(wrong))[:10],
    }  # fmt: skip


def one_day(
    office: Office, box: Box, story: Story, number: int, spool: list[bytes]
) -> tuple[int, int]:
    day = date(2026, 11, number)
    if not story.keep(number):
        return 0, 0
    if story.clock_ahead and number in (5, 6):
        # The box believes it is December: what it signs now is refused for ever.
        keep = box.counter, box.previous
        refused = deliver(office, box.day(day + timedelta(days=30), story.change))
        box.counter, box.previous = keep
        return 0, 1 - refused
    envelope = box.day(day, story.change)
    if story.spool and number < 20:
        spool.append(envelope)
        return 0, 0
    sent = sum(deliver(office, each) for each in [*spool, envelope])
    spool.clear()
    if not story.forge:
        return sent, 0
    edited = envelope.replace(b'\\"exposed_s\\":6000', b'\\"exposed_s\\":0').replace(
        b'\\"revision\\":7', b'\\"revision\\":8'
    )
    stranger = Box(box.school).day(day, honest)
    return sent, sum(1 - deliver(office, each) for each in (edited, stranger))


def deliver(office: Office, envelope: bytes) -> int:
    try:
        ingest.take(office, envelope)
    except EvidenceError:
        return 0
    return 1


def pin(office: Office, box: Box) -> None:
    """Enrolled without the code's round trip."""
    now = office.moment()
    row = {"id": box.key.id, "school": box.school, "public": box.key.public.hex(),
           "state": "active", "enrolled": now}  # fmt: skip
    with office.write() as connection:
        connection.execute(insert(devices).values(**row))
        connection.execute(
            update(schools).where(schools.c.id == box.school).values(enrolled=now[:10])
        )


# Ingest.


def ingest_rate(folder: Path, url: str | None, size: Size) -> dict[str, Any]:
    clock = Clock(datetime(2026, 11, 20, tzinfo=UTC))
    office = fresh_office(folder, clock, url)
    each = 20
    count = size.ingest // each
    register.load(office, [entry(n) for n in range(count)], date(2026, 9, 1))
    boxes = [Box(entry(n).id) for n in range(count)]
    for box in boxes:
        pin(office, box)
    made = [[box.day(date(2026, 10, 30) + timedelta(days=d)) for d in range(each)] for box in boxes]
    workers = 2 if url else 1
    shares = [made[n::workers] for n in range(workers)]
    address = url or f"sqlite:///{folder / 'office.db'}"
    office.engine.dispose()
    context = multiprocessing.get_context("spawn")
    barrier, spent = context.Barrier(workers + 1), context.SimpleQueue()
    running = [
        context.Process(target=_send, args=(address, folder, share, barrier, spent))
        for share in shares
    ]
    for process in running:
        process.start()
    barrier.wait(120)
    started = time.perf_counter()
    for process in running:
        process.join()
    seconds = time.perf_counter() - started
    office = open_office(address, folder, clock)
    taken = len(office.rows(select(summaries.c.day)))
    office.engine.dispose()
    assert taken == count * each, (taken, count * each)
    cpu = sum(spent.get() for _ in running)
    return {"summaries": taken, "processes": workers, "per_s": round(taken / seconds, 1),
            "cpu_ms_each": round(cpu / taken * 1000, 2)}  # fmt: skip


def _send(url: str, folder: Path, share: list[list[bytes]], barrier: Any, spent: Any) -> None:
    office = open_office(url, folder, Clock(datetime(2026, 11, 20, tzinfo=UTC)))
    office.rows(select(1))
    barrier.wait(120)
    begun = time.process_time()  # of this process: what else the machine does stays out of it
    for box in share:
        for envelope in box:
            ingest.take(office, envelope)
    spent.put(time.process_time() - begun)


# Pages.

PAGES = (
    "/", "/chart.svg", "/communes/", "/schools/", "/schools/?page=10",
    "/schools/?text=so+77&status=conditional", "/schools/?gate=I4", "/schools/?silent=yes",
    "/schools/VN-91-000077", "/compare/", "/refusals/", "/awareness/", "/report/", "/register/",
    "/publish/", "/people/", "/audit/", "/public/", "/metrics", "/schools/export.csv",
)  # fmt: skip
FILES = ("/schools/export.xlsx", "/report/bao-cao.pdf")
"""Made on demand; their time is shown, the goal is for pages."""


def pages(folder: Path, url: str | None, size: Size) -> dict[str, Any]:
    from tests.lab.office_site import signed_in

    clock = Clock(datetime(TODAY.year, TODAY.month, TODAY.day, 3, tzinfo=UTC))
    office = fresh_office(folder, clock, url)
    rows = seed(office, size)
    site = signed_in(office)
    times = {}
    for path in (*PAGES, *FILES):
        spent = []
        for _ in range(1 if path in FILES else 5):
            begun = time.perf_counter()
            answer = site.client.get(path)
            spent.append((time.perf_counter() - begun) * 1000)
            assert answer.status_code == 200, (path, answer.status_code)
        times[path] = round(statistics.median(spent), 1)
    site.accounts.close()
    office.engine.dispose()
    slowest = max((path for path in PAGES), key=lambda path: times[path])
    return {"rows": rows, "slowest": [slowest, times[slowest]], "ms": times}


def seed(office: Office, size: Size) -> dict[str, int]:
    """The tables as 24 months of ingest and assessment leave them."""
    chance = random.Random(7)
    entries = [entry(n, n % COMMUNES) for n in range(size.schools)]
    months = months_back(TODAY.isoformat()[:7], size.months)
    register.load(office, entries, date.fromisoformat(f"{months[0]}-01"))
    sample = assessed_sample(office, months[-1])
    boxes = [Box(each.id) for each in entries[: size.schools * 9 // 10]]
    counts = {"schools": size.schools, "assessments": 0, "summaries": 0, "failing": 0}
    with office.write() as connection:
        for box in boxes:
            row = {"id": box.key.id, "school": box.school, "public": box.key.public.hex(),
                   "state": "active", "enrolled": f"{months[0]}-01T00:00:00+00:00"}  # fmt: skip
            connection.execute(insert(devices).values(**row))
        wanted = schools.c.id.in_([box.school for box in boxes])
        connection.execute(
            update(schools).where(wanted)
            .values(enrolled=f"{months[0]}-01", last_day=TODAY.isoformat())
        )  # fmt: skip
    for month in months:
        ensure_month(office, month)
        with office.write() as connection:
            for table, made in month_rows(boxes, month, sample, chance).items():
                if made:
                    connection.execute(insert(table), made)
                    counts[table.name] += len(made)
    return counts


def month_rows(
    boxes: list[Box], month: str, sample: dict[str, Any], chance: random.Random
) -> dict[Any, list[dict[str, Any]]]:
    made: dict[Any, list[dict[str, Any]]] = {assessments: [], failing: [], summaries: []}
    for box in boxes:
        status = chance.choices(("met", "conditional", "not_met", "insufficient"),
                                (6, 2, 1, 1))[0]  # fmt: skip
        row = {**sample["assessment"], "school": box.school, "month": month, "status": status}
        made[assessments].append(row)
        if status in ("not_met", "insufficient"):
            gate = chance.choice(("I1", "I4", "I5", "I14"))
            made[failing].append({"month": month, "school": box.school, "indicator": gate,
                                  "verdict": "fail", "reason": ""})  # fmt: skip
        for number in range(1, 31):
            made[summaries].append(
                {"day": f"{month}-{number:02d}", "device": box.key.id,
                 "counter": int(month[:4]) * 400 + int(month[5:]) * 31 + number,
                 "school": box.school, "digest": "ab" * 32, "received": f"{month}-28T00:00:00",
                 "late": 0, "gap": 0, "envelope": sample["envelope"]}
            )  # fmt: skip
    return made


def assessed_sample(office: Office, month: str) -> dict[str, Any]:
    """One month that went through ingest and assessment, as the model of all seeded rows."""
    register.load(office, [entry(999_999)], TODAY - timedelta(days=60))
    box = Box(entry(999_999).id)
    pin(office, box)
    for number in range(1, 20):
        ingest.take(office, box.day(date.fromisoformat(f"{month}-{number:02d}")))
    assess.sweep_all(office)
    row = office.rows(select(assessments))[0]
    kept = office.rows(select(summaries.c.envelope).limit(1))[0]["envelope"]
    return {"assessment": row, "envelope": kept}


def told(found: dict[str, Any]) -> str:
    return "\n".join(_lines(found, 0))


def _lines(node: Any, depth: int) -> Iterator[str]:
    for key, value in node.items():
        if isinstance(value, dict):
            yield f"{'  ' * depth}{key}"
            yield from _lines(value, depth + 1)
        else:
            yield f"{'  ' * depth}{key}: {value}"


if __name__ == "__main__":
    sys.exit(main())
