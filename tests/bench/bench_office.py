"""The office with 1,000 schools and 24 months: `python -m tests.bench.bench_office [--quick]`.

Three measurements, each on SQLite and on a private PostgreSQL (skipped with the reason where
Debian's server is not installed): a simulation of devices whose true statuses are known, ingest by
the path and over HTTP, and server time of every page over the whole history. Exit 1 when a status
is not the true one, or something was taken that had to be refused.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from tests.bench.office_history import progress, seed
from tests.bench.office_ingest import ingest_rate
from tests.bench.office_simulation import World, make_world, simulation
from tests.lab.office_school import Clock, fresh_office
from tests.lab.private_postgres import binaries, postgres

TODAY = date(2026, 11, 21)
GOALS = {"page_ms": 300, "ingest_per_s": 500}
PARTS = ("simulation", "ingest", "pages")


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
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), action="append")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    parts = options.part or PARTS
    started = time.perf_counter()
    found: dict[str, Any] = {"size": vars(size), "goals": GOALS}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="office-bench-")))
        (folder / "world").mkdir()
        world = make_world(folder / "world", size.devices) if "simulation" in parts else None
        for engine in options.engine or ("sqlite", "postgresql"):
            if engine == "postgresql" and binaries() is None:
                found[engine] = "skipped: Debian's postgresql is not installed"
                continue
            (folder / engine).mkdir()
            url = stack.enter_context(postgres()) if engine != "sqlite" else None
            found[engine] = measure(folder / engine, url, size, world, parts)
            found[engine].update(sizing(found[engine]))
    found["seconds"] = round(time.perf_counter() - started, 1)
    print(json.dumps(found, indent=1) if options.json else "\n".join(told(found, 0)))
    return 0 if all(_true(found[engine]) for engine in ("sqlite", "postgresql")
                    if isinstance(found.get(engine), dict)) else 1  # fmt: skip


def _true(found: dict[str, Any]) -> bool:
    run = found.get("simulation")
    return run is None or not (run["wrong"] or run["wrongly_taken"] or run["wrongly_refused"])


def measure(
    folder: Path, url: str | None, size: Size, world: World | None, parts: Any
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in PARTS:
        if name not in parts:
            continue
        here = folder / name
        here.mkdir()
        own = database(url, name)
        progress(f"{folder.name}: {name}", 1, 1)
        if name == "pages":
            found[name] = pages(here, own, size)
        elif name == "ingest":
            found[name] = ingest_rate(here, own, size.ingest)
        elif world is not None:
            found[name] = simulation(here, own, world)
        # Also at once: a run that is ended early has told what it had.
        print(json.dumps({folder.name: {name: found.get(name)}}), file=sys.stderr, flush=True)
    return found


PROVINCES = 40_000
"""Schools of the sizing in docs/*/office-sizing.md, whose arithmetic this is."""


def sizing(found: dict[str, Any]) -> dict[str, Any]:
    """The figures of this run for the sizing page; nothing where a part did not run."""
    if not {"ingest", "simulation"} <= found.keys():
        return {}
    taken = found["ingest"]["http"]
    each = taken["office_cpu_ms_each"] + taken["database_cpu_ms_each"]
    assess = found["simulation"]["assess_cpu_ms_each"]
    return {"sizing": {
        "summary_cpu_ms": round(each, 2), "assessment_cpu_ms": assess,
        "worst_hour_percent_of_a_core": round(PROVINCES / 3600 * each / 10, 1),
        "assessing_minutes_of_a_core_a_day": round(PROVINCES * assess / 60_000, 1),
    }}  # fmt: skip


def database(url: str | None, name: str) -> str | None:
    """A database of its own for each part."""
    if url is None:
        return None
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE bench_{name}".encode())
    return url.rsplit("/", 1)[0] + f"/bench_{name}"


PAGES = (
    "/", "/chart.svg", "/communes/", "/schools/", "/schools/?page=10",
    "/schools/?text=so+77&status=conditional", "/schools/?gate=I4", "/schools/?silent=yes",
    "/schools/VN-91-000077", "/compare/", "/refusals/", "/awareness/", "/report/", "/register/",
    "/publish/", "/people/", "/audit/", "/public/", "/metrics", "/schools/export.csv",
)  # fmt: skip
FILES = ("/schools/export.xlsx", "/report/bao-cao.pdf")
"""Made on demand; their time is shown, the goal is for pages."""
ASKED = 7


def pages(folder: Path, url: str | None, size: Size) -> dict[str, Any]:
    from tests.lab.office_site import signed_in

    clock = Clock(datetime(TODAY.year, TODAY.month, TODAY.day, 3, tzinfo=UTC))
    office = fresh_office(folder, clock, url)
    rows = seed(office, size.schools, size.months, TODAY)
    site = signed_in(office)
    times: dict[str, float] = {}
    first: dict[str, float] = {}
    for path in (*PAGES, *FILES):
        spent = [_asked(site.client, path) for _ in range(1 if path in FILES else ASKED)]
        times[path], first[path] = round(statistics.median(spent), 1), round(spent[0], 1)
    site.accounts.close()
    office.engine.dispose()
    slowest = max(PAGES, key=lambda path: times[path])
    over = [path for path in PAGES if times[path] > GOALS["page_ms"]]
    return {"rows": rows, "slowest": [slowest, times[slowest]], "over_goal": over, "ms": times,
            "first_ms": first}  # fmt: skip


def _asked(client: Any, path: str) -> float:
    begun = time.perf_counter()
    answer = client.get(path)
    spent = (time.perf_counter() - begun) * 1000
    assert answer.status_code == 200, (path, answer.status_code)
    return spent


def told(node: dict[str, Any], depth: int) -> Iterator[str]:
    for key, value in node.items():
        if isinstance(value, dict):
            yield f"{'  ' * depth}{key}"
            yield from told(value, depth + 1)
        else:
            yield f"{'  ' * depth}{key}: {value}"


if __name__ == "__main__":
    sys.exit(main())
