"""What the pages ask of the database: counts, lists and histories of statuses.

Reads only. `scope` limits everything to some communes (None: the whole province). A school without
a device has no assessment and counts as not deployed; one whose month was not assessed yet counts
as insufficient: nothing unproven is ever counted as met.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select

from admin_ui.office.database import Office, months_back
from admin_ui.office.register import plain
from admin_ui.office.tables import assessments, failing, schools, units

Scope = tuple[str, ...] | None
STATUSES = ("met", "conditional", "not_met", "insufficient", "not_deployed")
PAGE = 50
CHANGED = 50
"""Schools that got better or worse, as many as a page shows of each."""


def in_scope(scope: Scope) -> ColumnElement[bool]:
    """The condition that a school may be seen."""
    return schools.c.id.is_not(None) if scope is None else schools.c.commune.in_(scope)


def existing(month: str) -> ColumnElement[bool]:
    """In the register during that month."""
    end = f"{month}-31"
    return and_(
        schools.c.opened <= end, or_(schools.c.closed.is_(None), schools.c.closed > f"{month}-01")
    )


def _joined(month: str) -> Any:
    on = and_(assessments.c.school == schools.c.id, assessments.c.month == month)
    return schools.outerjoin(assessments, on)


def _status(month: str) -> ColumnElement[Any]:
    enrolled = func.substr(schools.c.enrolled, 1, 7)
    missing = or_(schools.c.enrolled.is_(None), enrolled > month)
    return case(
        (missing, "not_deployed"), else_=func.coalesce(assessments.c.status, "insufficient")
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """Schools by status; the two shares always stand together."""

    by: Mapping[str, int]

    @property
    def register(self) -> int:
        return sum(self.by.values())

    @property
    def deployed(self) -> int:
        return self.register - self.by.get("not_deployed", 0)

    @property
    def met(self) -> int:
        return self.by.get("met", 0) + self.by.get("conditional", 0)

    @property
    def fully(self) -> int:
        return self.by.get("met", 0)

    def share(self, part: int, whole: int) -> str:
        """ "12,5" of a hundred, rounded down; a dash without a denominator."""
        if not whole:
            return "–"
        tenths = part * 1000 // whole
        return f"{tenths // 10},{tenths % 10}"


def counts(office: Office, month: str, scope: Scope = None) -> Counts:
    """Schools by status in a month."""
    status = _status(month).label("status")
    query = select(status, func.count().label("n")).select_from(_joined(month))
    rows = office.rows(query.where(existing(month), in_scope(scope)).group_by(status))
    found = {row["status"]: row["n"] for row in rows}
    return Counts({key: found.get(key, 0) for key in STATUSES})


def trend(office: Office, month: str, n: int, scope: Scope = None) -> dict[str, Counts]:
    """The same for the n months that end with `month`."""
    wanted = months_back(month, n)
    query = select(assessments.c.month, assessments.c.status, func.count().label("n"))
    if scope is not None:  # the whole province is counted from an index alone
        source = assessments.join(schools, schools.c.id == assessments.c.school)
        query = query.select_from(source).where(in_scope(scope))
    rows = office.rows(
        query.where(assessments.c.month >= wanted[0], assessments.c.month <= month)
        .group_by(assessments.c.month, assessments.c.status)
    )  # fmt: skip
    found: dict[str, dict[str, int]] = {each: {} for each in wanted}
    for row in rows:
        found[row["month"]][row["status"]] = row["n"]
    sizes = _register_sizes(office, wanted, scope)
    for each, by in found.items():
        register, enrolled = sizes[each]
        assessed = sum(by.values())
        by["insufficient"] = by.get("insufficient", 0) + max(0, enrolled - assessed)
        by["not_deployed"] = max(0, register - max(enrolled, assessed))
    return {each: Counts({key: by.get(key, 0) for key in STATUSES}) for each, by in found.items()}


def _register_sizes(
    office: Office, months: Iterable[str], scope: Scope
) -> dict[str, tuple[int, int]]:
    keys = [
        func.substr(column, 1, 7).label(label)
        for column, label in ((schools.c.opened, "opened"), (schools.c.closed, "closed"),
                              (schools.c.enrolled, "enrolled"))
    ]  # fmt: skip
    rows = office.rows(
        select(*keys, func.count().label("n")).where(in_scope(scope)).group_by(*keys)
    )
    found = {}
    for month in months:
        there = [
            r for r in rows if r["opened"] <= month and not (r["closed"] and r["closed"] < month)
        ]
        enrolled = [r for r in there if r["enrolled"] and r["enrolled"] <= month]
        found[month] = (sum(r["n"] for r in there), sum(r["n"] for r in enrolled))
    return found


def gates(office: Office, month: str, scope: Scope = None) -> list[dict[str, Any]]:
    """Indicators by the number of schools that they hold back, the worst first."""
    source = failing.join(schools, schools.c.id == failing.c.school)
    query = select(failing.c.indicator, failing.c.verdict, func.count().label("n"))
    rows = office.rows(
        query.select_from(source)
        .where(failing.c.month == month, in_scope(scope))
        .group_by(failing.c.indicator, failing.c.verdict)
    )
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        each = found.setdefault(
            row["indicator"],
            {"indicator": row["indicator"], "fail": 0, "warn": 0, "unmeasured": 0},
        )
        each[row["verdict"]] = row["n"]
    return sorted(
        found.values(), key=lambda e: (-e["fail"], -e["warn"], -e["unmeasured"], e["indicator"])
    )


def communes(office: Office, month: str, scope: Scope = None) -> list[dict[str, Any]]:
    """Each commune with its counts, by name."""
    status = _status(month).label("status")
    query = select(schools.c.commune, status, func.count().label("n"))
    rows = office.rows(
        query.select_from(_joined(month))
        .where(existing(month), in_scope(scope))
        .group_by(schools.c.commune, status)
    )
    wanted = select(units.c.id, units.c.name).where(units.c.kind == "commune")
    names = {row["id"]: row["name"] for row in office.rows(wanted)}
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["commune"], dict.fromkeys(STATUSES, 0))[row["status"]] = row["n"]
    return sorted(
        ({"id": id, "name": names.get(id, id), "counts": Counts(by)} for id, by in found.items()),
        key=lambda each: plain(each["name"]),
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which schools a list shows; empty fields do not limit."""

    month: str
    text: str = ""
    status: str = ""
    commune: str = ""
    gate: str = ""
    silent_before: str = ""
    scope: Scope = None
    strange: bool = False
    """Only schools with days by another method than the one that judged the month."""


def _matching(wanted: Wanted) -> list[ColumnElement[bool]]:
    found = [existing(wanted.month), in_scope(wanted.scope)]
    for word in plain(wanted.text).split():
        found.append(schools.c.search.contains(word, autoescape=True))
    if wanted.status:
        found.append(_status(wanted.month) == wanted.status)
    if wanted.commune:
        found.append(schools.c.commune == wanted.commune)
    if wanted.gate:
        held = select(failing.c.school).where(
            failing.c.month == wanted.month, failing.c.indicator == wanted.gate
        )
        found.append(schools.c.id.in_(held))
    if wanted.silent_before:
        last = func.coalesce(schools.c.last_day, "")
        found += [schools.c.enrolled.is_not(None), last < wanted.silent_before]
    if wanted.strange:
        found.append(assessments.c.strange > 0)
    return found


_ROW = (
    schools.c.id, schools.c.name, schools.c.commune, schools.c.levels, schools.c.enrolled,
    schools.c.last_day, assessments.c.reasons, assessments.c.days, assessments.c.late,
    assessments.c.as_of, assessments.c.exposed_s, assessments.c.enforcing_s,
)  # fmt: skip


def schools_like(
    office: Office, wanted: Wanted, page: int = 0, limit: int = PAGE
) -> dict[str, Any]:
    """A page of schools with their status, and how many there are."""
    match = _matching(wanted)
    source = _joined(wanted.month).outerjoin(units, units.c.id == schools.c.commune)
    total = office.rows(select(func.count().label("n")).select_from(source).where(*match))[0]["n"]
    query: Select[Any] = select(
        *_ROW, units.c.name.label("commune_name"), _status(wanted.month).label("status")
    )
    rows = office.rows(
        query.select_from(source)
        .where(*match)
        .order_by(schools.c.name, schools.c.id)
        .limit(limit)
        .offset(page * limit)
    )
    for row in rows:
        row["reasons"] = json.loads(row["reasons"] or "[]")
    return {"total": total, "items": rows, "pages": -(-total // limit)}


def school(office: Office, id: str, scope: Scope = None) -> dict[str, Any] | None:
    """One school with the names of its parents; None when there is none in scope."""
    department = units.alias("department_unit")
    source = schools.outerjoin(units, units.c.id == schools.c.commune)
    source = source.outerjoin(department, department.c.id == schools.c.department)
    named = (units.c.name.label("commune_name"), department.c.name.label("department_name"))
    query = select(schools, *named).select_from(source)
    rows = office.rows(query.where(schools.c.id == id, in_scope(scope)))
    return rows[0] if rows else None


def school_months(office: Office, id: str, n: int = 24) -> list[dict[str, Any]]:
    """Its assessments, the newest first, as values."""
    rows = office.rows(
        select(assessments)
        .where(assessments.c.school == id)
        .order_by(assessments.c.month.desc())
        .limit(n)
    )
    for row in rows:
        for key in ("indicators", "reasons", "limits", "newest"):
            row[key] = json.loads(row[key])
    return rows


def compare(office: Office, first: str, second: str, scope: Scope = None) -> dict[str, Any]:
    """How statuses moved between two months: a table, and the schools that changed."""
    one, two = assessments.alias("one"), assessments.alias("two")
    source = schools.outerjoin(one, and_(one.c.school == schools.c.id, one.c.month == first))
    source = source.outerjoin(two, and_(two.c.school == schools.c.id, two.c.month == second))
    before = func.coalesce(one.c.status, "not_deployed").label("before")
    after = func.coalesce(two.c.status, "not_deployed").label("after")
    here = (existing(second), in_scope(scope))
    moves = office.rows(
        select(before, after, func.count().label("n"))
        .select_from(source)
        .where(*here)
        .group_by(before, after)
    )
    table = {(row["before"], row["after"]): row["n"] for row in moves}
    rank = {key: index for index, key in enumerate(STATUSES)}
    found: dict[str, Any] = {"table": table}
    for name, sign in (("worse", 1), ("better", -1)):
        kinds = [pair for pair in table if (rank[pair[1]] - rank[pair[0]]) * sign > 0]
        shown = select(schools.c.id, schools.c.name, before, after).select_from(source)
        moved = or_(*(and_(before == old, after == new) for old, new in kinds), false())
        found[name] = office.rows(
            shown.where(*here, moved).order_by(schools.c.name, schools.c.id).limit(CHANGED)
        )
        found[f"{name}_all"] = sum(table[pair] for pair in kinds)
    return found


def newest_month(office: Office) -> str:
    """The current local month."""
    return office.today().isoformat()[:7]
