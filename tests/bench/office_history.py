"""24 months of a province as ingest and assessment leave them, loaded in bulk.

Row counts and sizes are those of real ones: the rows are copies of a school that went through both.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Table, select, text, update

from admin_ui.office import assess, ingest, register
from admin_ui.office.database import Office, ensure_month, months_back
from admin_ui.office.tables import assessments, failing, schools, summaries
from tests.lab.office_school import Box, entry, pin

COMMUNES = 100
_STARTED = time.perf_counter()


def progress(what: str, n: int, of: int) -> None:
    """A line on stderr, at every fifth of the way."""
    if n == of or (n * 5 // of) != ((n - 1) * 5 // of):
        spent = time.perf_counter() - _STARTED
        print(f"{spent:6.1f} s  {what} {n}/{of}", file=sys.stderr, flush=True)


def seed(office: Office, size: int, months: int, today: date) -> dict[str, int]:
    """The register, nine devices for ten schools, and everything they sent; rows by table."""
    chance = random.Random(7)
    names = months_back(today.isoformat()[:7], months)
    entries = [entry(n, n % COMMUNES) for n in range(size)]
    register.load(office, entries, date.fromisoformat(f"{names[0]}-01"))
    sample = _sample(office, today)
    boxes = [Box(each.id) for each in entries[: size * 9 // 10]]
    pin(office, boxes, f"{names[0]}-01T00:00:00+00:00")
    with office.write() as connection:
        connection.execute(
            update(schools)
            .where(schools.c.enrolled.is_not(None))
            .values(last_day=today.isoformat())
        )
    counts: dict[str, int] = {}
    for number, month in enumerate(names, 1):
        ensure_month(office, month)
        for table, rows in _month(boxes, month, sample, chance).items():
            counts[table.name] = counts.get(table.name, 0) + bulk(office, table, rows)
        progress("history: months loaded", number, months)
    with office.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Autovacuum would do the same a little later.
        connection.execute(text("VACUUM ANALYZE" if office.postgres else "ANALYZE"))
    return {"schools": size, **counts}


def bulk(office: Office, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
    """Rows in the order of the table's columns: COPY on PostgreSQL, one executemany on SQLite."""
    columns = ", ".join(column.name for column in table.columns)
    with office.write() as connection:
        raw: Any = connection.connection.driver_connection
        if office.postgres:
            with raw.cursor().copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
                known: dict[bytes, str] = {}
                for start in range(0, len(rows), 500):
                    lines = (_line(row, known) for row in rows[start : start + 500])
                    copy.write("".join(lines))
        else:
            marks = ", ".join("?" * len(table.columns))
            raw.executemany(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", rows)
    return len(rows)


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _line(row: tuple[Any, ...], known: dict[bytes, str]) -> str:
    """A row in COPY's text format; an envelope's hexadecimal is made once."""
    cells = []
    for cell in row:
        if isinstance(cell, bytes):
            if cell not in known:
                known[cell] = "\\\\x" + cell.hex()
            cells.append(known[cell])
        else:
            cells.append("\\N" if cell is None else str(cell).translate(_ESCAPES))
    return "\t".join(cells) + "\n"


def _month(
    boxes: list[Box], month: str, sample: dict[str, Any], chance: random.Random
) -> dict[Table, list[tuple[Any, ...]]]:
    statuses = chance.choices(
        ("met", "conditional", "not_met", "insufficient"), (6, 2, 1, 1), k=len(boxes)
    )
    assessed = [
        tuple({**sample["assessment"], "school": box.school, "month": month, "status": status}
              [column.name] for column in assessments.columns)
        for box, status in zip(boxes, statuses, strict=True)
    ]  # fmt: skip
    held = [
        (month, box.school, chance.choice(("I1", "I4", "I5", "I14")), "fail", "")
        for box, status in zip(boxes, statuses, strict=True)
        if status in ("not_met", "insufficient")
    ]
    return {assessments: assessed, failing: held,
            summaries: list(_days(boxes, month, sample["envelope"]))}  # fmt: skip


def _days(boxes: list[Box], month: str, envelope: bytes) -> Iterator[tuple[Any, ...]]:
    first = int(month[:4]) * 400 + int(month[5:]) * 31
    for box in boxes:
        for number in range(1, 31 if month[5:] != "02" else 29):
            yield (f"{month}-{number:02d}", box.key.id, first + number, box.school, "ab" * 32,
                   f"{month}-28T00:00:00", 0, 0, envelope, "v0")  # fmt: skip


def _sample(office: Office, today: date) -> dict[str, Any]:
    """One month that went through ingest and assessment, as the model of all seeded rows."""
    register.load(office, [entry(999_999)], today - timedelta(days=60))
    box = Box(entry(999_999).id)
    pin(office, [box], (today - timedelta(days=60)).isoformat() + "T00:00:00+00:00")
    for number in range(1, 20):
        ingest.take(office, box.day(today.replace(day=number)))
    assess.sweep_all(office)
    row = office.rows(select(assessments))[0]
    kept = office.rows(select(summaries.c.envelope).limit(1))[0]["envelope"]
    return {"assessment": row, "envelope": kept}
