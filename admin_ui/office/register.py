"""The register of all schools: import, history of names and parents, merges of communes.

Owns what is known of schools that no device says. A school's id (the ministry's code) never
changes; names, communes and departments are facts with a beginning and an end, so that history
follows the school and not the commune. Schools without a box stay in every denominator.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from admin_ui.office.database import Office, upsert
from admin_ui.office.tables import school_facts, schools, units
from filterd.errors import DocumentError, Problem

COMMUNE, DEPARTMENT = "commune", "department"
LEVELS = ("preschool", "primary", "lower_secondary", "upper_secondary", "continuing")
FACILITIES = ("school", "kindergarten", "care_home", "centre")
_COLUMNS = {
    "id": "id", "ma_truong": "id", "ma": "id",
    "name": "name", "ten_truong": "name", "ten": "name",
    "commune_id": "commune", "ma_xa": "commune",
    "commune": "commune_name", "xa": "commune_name", "xa_phuong": "commune_name",
    "department_id": "department", "ma_so": "department",
    "department": "department_name", "so": "department_name",
    "facility_type": "facility", "loai_hinh": "facility",
    "levels": "levels", "cap_hoc": "levels",
    "province": "province", "tinh": "province",
}  # fmt: skip
_LEVEL_WORDS = {
    "mam non": "preschool", "tieu hoc": "primary", "thcs": "lower_secondary",
    "thpt": "upper_secondary", "gdtx": "continuing",
}  # fmt: skip
MAX_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One school as an import gives it."""

    id: str
    name: str
    commune: str
    commune_name: str
    department: str = ""
    department_name: str = ""
    facility: str = "school"
    levels: tuple[str, ...] = ()
    province: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    added: int
    renamed: int
    moved: int
    unchanged: int


def plain(text: str) -> str:
    """Lower case without accents, as search and column names compare."""
    text = text.replace("đ", "d").replace("Đ", "d")
    parts = unicodedata.normalize("NFD", text)
    return "".join(c for c in parts if not unicodedata.combining(c)).casefold().strip()


def parse(content: bytes) -> list[Entry]:
    """The rows of a CSV (comma, semicolon or tab; UTF-8); DocumentError with every mistake."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DocumentError([Problem("csv", None, "", "is not UTF-8 text")]) from None
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    names = {
        given: _COLUMNS.get(plain(given).replace(" ", "_").replace("/", "_"), "")
        for given in rows.fieldnames or []
        if given
    }
    problems = [
        Problem("csv", 1, title, "is missing")
        for column, title in (("id", "id"), ("name", "name"), ("commune", "commune_id"))
        if column not in names.values()
    ]
    if problems:
        raise DocumentError(problems)
    return _entries(rows, names)


def _entries(rows: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> list[Entry]:
    found: dict[str, Entry] = {}
    problems: list[Problem] = []
    for line, row in enumerate(rows, start=2):
        if line > MAX_ROWS:
            problems.append(Problem("csv", line, "", f"more than {MAX_ROWS} rows"))
            break
        fields = {names[k]: (v or "").strip() for k, v in row.items() if k and names.get(k)}
        entry = _entry(fields, line, problems)
        if entry is None:
            continue
        if entry.id in found:
            problems.append(Problem("csv", line, "id", f"{entry.id} stands twice"))
        found[entry.id] = entry
    if problems:
        raise DocumentError(problems)
    return list(found.values())


def _entry(fields: Mapping[str, str], line: int, problems: list[Problem]) -> Entry | None:
    if not any(fields.values()):
        return None
    before = len(problems)
    for key in ("id", "name", "commune"):
        value = fields.get(key, "")
        if not value or len(value) > 200 or any(unicodedata.category(c) == "Cc" for c in value):
            problems.append(Problem("csv", line, key, "is empty or cannot be used"))
    words = [plain(w) for w in fields.get("levels", "").replace("|", ",").split(",") if w.strip()]
    levels = tuple(dict.fromkeys(_LEVEL_WORDS.get(word, word) for word in words))
    if unknown := [level for level in levels if level not in LEVELS]:
        problems.append(Problem("csv", line, "levels", f"unknown: {', '.join(unknown)}"))
    facility = fields.get("facility") or "school"
    if facility not in FACILITIES:
        problems.append(Problem("csv", line, "facility_type", f"unknown: {facility}"))
    if len(problems) > before:
        return None
    return Entry(
        fields["id"], fields["name"], fields["commune"],
        fields.get("commune_name") or fields["commune"], fields.get("department", ""),
        fields.get("department_name") or fields.get("department", ""), facility, levels,
        fields.get("province", ""),
    )  # fmt: skip


def load(office: Office, entries: Iterable[Entry], valid_from: date) -> Imported:
    """Bring the register up to date; what differs is a new fact from `valid_from` on."""
    counts = {"added": 0, "renamed": 0, "moved": 0, "unchanged": 0}
    with office.write() as connection:
        for entry in entries:
            _unit(connection, entry.commune, COMMUNE, entry.commune_name, entry.province)
            if entry.department:
                _unit(connection, entry.department, DEPARTMENT, entry.department_name,
                      entry.province)  # fmt: skip
            counts[_school(connection, entry, valid_from.isoformat())] += 1
    return Imported(**counts)


def _unit(connection: Connection, id: str, kind: str, name: str, province: str) -> None:
    connection.execute(
        upsert(connection, units)
        .values(id=id, kind=kind, name=name, province=province)
        .on_conflict_do_nothing()
    )


def _school(connection: Connection, entry: Entry, since: str) -> str:
    row = connection.execute(select(schools).where(schools.c.id == entry.id)).mappings().first()
    fixed = {"facility": entry.facility, "levels": ",".join(entry.levels)}
    if row is None:
        connection.execute(
            insert(schools).values(
                id=entry.id, name=entry.name, search=_search(entry.id, entry.name),
                commune=entry.commune, department=entry.department or None, opened=since, **fixed,
            )
        )  # fmt: skip
        for field, value in _facts(entry).items():
            _begin(connection, entry.id, field, value, since)
        return "added"
    connection.execute(update(schools).where(schools.c.id == entry.id).values(**fixed))
    done = "unchanged"
    for field, value in _facts(entry).items():
        if (row[field] or "") != value:
            change(connection, entry.id, field, value, since)
            done = "renamed" if field == "name" else "moved"
    return done


def _facts(entry: Entry) -> dict[str, str]:
    facts = {"name": entry.name, "commune": entry.commune, "department": entry.department}
    return {field: value for field, value in facts.items() if value}


def _search(id: str, name: str) -> str:
    return f"{plain(name)} {plain(id)}"


def _begin(connection: Connection, school: str, field: str, value: str, since: str) -> None:
    same = and_(school_facts.c.school == school, school_facts.c.field == field)
    before = (date.fromisoformat(since) - timedelta(days=1)).isoformat()
    open_ = and_(same, school_facts.c.valid_to.is_(None), school_facts.c.valid_from < since)
    connection.execute(update(school_facts).where(open_).values(valid_to=before))
    statement = upsert(connection, school_facts).values(
        school=school, field=field, valid_from=since, valid_to=None, value=value
    )
    keys = ["school", "field", "valid_from"]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_={"value": value}))


def change(connection: Connection, school: str, field: str, value: str, since: str) -> None:
    """A new name or parent from a day on; what was before stays with its dates."""
    _begin(connection, school, field, value, since)
    columns: dict[str, str] = {field: value}
    if field == "name":
        columns["search"] = _search(school, value)
    connection.execute(update(schools).where(schools.c.id == school).values(**columns))


@dataclass(frozen=True, slots=True)
class Merge:
    """Communes that become one: `into` may be new; `since` is the first day of the new one."""

    communes: tuple[str, ...]
    into: str
    name: str
    since: date


def merge(office: Office, merge: Merge) -> int:
    """Merge or rename communes: their schools move with their history; how many moved."""
    since = merge.since.isoformat()
    before = (merge.since - timedelta(days=1)).isoformat()
    with office.write() as connection:
        old = connection.execute(select(units).where(units.c.id.in_(merge.communes))).mappings()
        known = {row["id"]: row for row in old}
        if missing := set(merge.communes) - known.keys():
            raise DocumentError([Problem("merge", None, id, "no such commune") for id in missing])
        province = next(iter(known.values()))["province"]
        target = {"kind": COMMUNE, "name": merge.name, "province": province}
        connection.execute(
            upsert(connection, units)
            .values(id=merge.into, valid_from=since, **target)
            .on_conflict_do_update(index_elements=["id"], set_={"name": merge.name})
        )
        gone = [id for id in merge.communes if id != merge.into]
        connection.execute(
            update(units).where(units.c.id.in_(gone)).values(valid_to=before, successor=merge.into)
        )
        query = select(schools.c.id).where(schools.c.commune.in_(gone))
        moving = list(connection.execute(query).scalars())
        for school in moving:
            change(connection, school, "commune", merge.into, since)
    return len(moving)


def close(office: Office, school: str, day: date) -> None:
    """The school closed: it leaves the denominators from the next month on."""
    with office.write() as connection:
        connection.execute(
            update(schools).where(schools.c.id == school).values(closed=day.isoformat())
        )


def history(office: Office, school: str) -> list[dict[str, Any]]:
    """Names and parents with their dates, oldest first; a unit's name beside its id."""
    return office.rows(
        select(school_facts, units.c.name.label("unit"))
        .outerjoin(units, and_(units.c.id == school_facts.c.value, school_facts.c.field != "name"))
        .where(school_facts.c.school == school)
        .order_by(school_facts.c.field, school_facts.c.valid_from)
    )


def fact_on(office: Office, school: str, field: str, day: date) -> str | None:
    """The school's name or parent as it was on a day."""
    text = day.isoformat()
    for row in history(office, school):
        ended = row["valid_to"] is not None and row["valid_to"] < text
        if row["field"] == field and row["valid_from"] <= text and not ended:
            return str(row["value"])
    return None
