"""From kept summaries to the status of a school's month, by the method of `filterd.evidence`.

Owns `assessments` and `failing`. Ingest marks months stale; `sweep` works them off, in any number
of office processes at once. A month without a row means: nothing was enrolled.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, cast

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, text

from admin_ui.office import kept, methods
from admin_ui.office.database import Office, mark_stale, months_back
from admin_ui.office.ingest import summary_of
from admin_ui.office.tables import (
    assessments,
    efficacy,
    failing,
    proofs,
    schools,
    stale,
    summaries,
)
from filterd.evidence.decision import Decision, decide
from filterd.evidence.indicators import Facts, Indicator, Period, Proof, Verdict, compute
from filterd.evidence.records import Efficacy, Summary
from filterd.evidence.versions import Versions

_log = logging.getLogger("filterd.office")
BATCH = 25
_STORING = 0x61737373  # any number that is ours: two processes store one after the other
GRACE_DAYS = 2
"""A day's summary is missed only when it is this old: it is made and carried after midnight."""
REOPEN_DAYS = 5
"""For so long after a month's end late summaries are waited for every day."""


@dataclasses.dataclass(frozen=True, slots=True)
class Remarks:
    """The version that judged a month, how many of its days came late, and how many summaries name
    another version (the facts count all the same; the school's own page shows other numbers)."""

    method: str
    late: int
    strange: int


Result = tuple[Facts, Mapping[str, Indicator], Decision, Remarks]
"""What a month came to: facts, indicators, decision, remarks."""


def sweep(office: Office) -> int:
    """Assess a batch of stale months; how many were done (0: nothing is left).

    They are computed without holding anything, and stored in one short transaction: on SQLite
    nobody else writes meanwhile. What was marked again in between stays marked.
    """
    query = select(stale).limit(BATCH)
    # Several processes seldom take the same; where they do, both find the same.
    due = office.rows(query.order_by(func.random()) if office.postgres else query)
    versions = methods.versions(office)
    found = [(row, _assessed(office, versions, (row["school"], row["month"]))) for row in due]
    with office.write() as connection:
        if office.postgres:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_STORING})"))
        for row, result in found:
            same = and_(stale.c.school == row["school"], stale.c.month == row["month"])
            connection.execute(delete(stale).where(same, stale.c.marked == row["marked"]))
            if result is not None:
                _store(connection, office, (row["school"], row["month"]), result)
    return len(due)


def _assessed(office: Office, versions: Versions, key: tuple[str, str]) -> Result | None:
    school, month = key
    try:
        with office.read() as connection:
            return assess(connection, office, versions, key)
    except (ValueError, TypeError, KeyError) as error:
        # One school's summaries must not stop the others; without a row it is insufficient.
        _log.error("%s %s cannot be assessed: %r", school, month, error)
        return None


def sweep_all(office: Office) -> int:
    """Everything that is stale now."""
    done = 0
    while n := sweep(office):
        done += n
    return done


def new_day(office: Office) -> bool:
    """Once a local day: every enrolled school's open months are stale, for silence counts too."""
    today = office.today()
    with office.write() as connection:
        if kept.value_in(connection, "day") == today.isoformat():
            return False
        kept.keep_in(connection, "day", today.isoformat())
        query = select(schools.c.id).where(schools.c.enrolled.is_not(None))
        enrolled = connection.execute(query).scalars().all()
        mark_stale(connection, itertools.product(enrolled, _open_months(today)))
    return True


def _open_months(today: date) -> list[str]:
    month = today.isoformat()[:7]
    return months_back(month, 2 if today.day <= REOPEN_DAYS else 1)


def assess(
    connection: Connection, office: Office, versions: Versions, key: tuple[str, str]
) -> Result | None:
    """One month of one school; None: nothing was enrolled then."""
    school, month = key
    query = select(schools.c.enrolled).where(schools.c.id == school)
    enrolled = connection.execute(query).scalar()
    if enrolled is None or enrolled[:7] > month:
        return None
    rows = _kept(connection, school, month)
    days = [summary_of(row.envelope) for row in rows]
    period = Period.month(month, as_of(days, office.today()))
    facts = Facts.gather(
        period, days, date.fromisoformat(enrolled), _efficacy(connection, days),
        _proof(connection, school, month),
    )  # fmt: skip
    judged_by = versions.on(period.first)
    found = compute(facts, judged_by)
    actions = facts.days[-1]["governance"]["actions"] if facts.days else []
    decision = decide(found, judged_by, actions, min(office.today(), period.last))
    remarks = Remarks(
        judged_by.version, sum(row.late for row in rows),
        sum(each["method"] != judged_by.version for each in days),
    )  # fmt: skip
    return facts, found, decision, remarks


def as_of(days: Iterable[Summary], today: date) -> date:
    """The last day that is due: yesterday when it came already, else the day before it."""
    yesterday = today - timedelta(days=1)
    came = {each["day"] for each in days}
    if yesterday.isoformat() in came:
        return yesterday
    return today - timedelta(days=GRACE_DAYS)


def _kept(connection: Connection, school: str, month: str) -> list[Any]:
    return list(
        connection.execute(
            select(summaries.c.envelope, summaries.c.late).where(
                summaries.c.school == school,
                summaries.c.day >= f"{month}-01",
                summaries.c.day <= f"{month}-31",
            )
        )
    )


def _efficacy(connection: Connection, days: list[Summary]) -> Efficacy | None:
    if not days:
        return None
    newest = max(days, key=lambda each: (each["day"], each["counter"]))
    query = select(efficacy.c.body).where(efficacy.c.list_index == newest["policy"]["index"])
    body = connection.execute(query).scalar()
    return None if body is None else cast("Efficacy", json.loads(body))


def _proof(connection: Connection, school: str, month: str) -> Proof | None:
    judged = and_(proofs.c.school == school, proofs.c.month == month, proofs.c.passed.is_not(None))
    results = list(connection.execute(select(proofs.c.passed).where(judged)).scalars())
    return Proof(len(results), sum(results)) if results else None


def _store(connection: Connection, office: Office, key: tuple[str, str], result: Result) -> None:
    school, month = key
    facts, found, decision, remarks = result
    where = and_(assessments.c.school == school, assessments.c.month == month)
    connection.execute(delete(assessments).where(where))
    connection.execute(
        delete(failing).where(and_(failing.c.school == school, failing.c.month == month))
    )
    exposure = found["I1"].parts
    connection.execute(
        insert(assessments).values(
            month=month, school=school, status=decision.status.value,
            as_of=facts.period.as_of.isoformat(), method=remarks.method,
            made=office.moment(), days=len(facts.days), late=remarks.late, strange=remarks.strange,
            exposed_s=exposure.get("exposed_s", 0), enforcing_s=exposure.get("enforcing_s", 0),
            indicators=json.dumps([_plain(each) for each in found.values()]),
            reasons=json.dumps([dataclasses.asdict(each) for each in decision.reasons]),
            limits=json.dumps(decision.limits),
            newest=json.dumps(_newest(facts), ensure_ascii=False),
        )
    )  # fmt: skip
    bad = [
        {"month": month, "school": school, "indicator": each.id, "verdict": each.verdict.value,
         "reason": each.reason}
        for each in found.values()
        if each.verdict in (Verdict.FAIL, Verdict.WARN)
        or (each.verdict is Verdict.UNMEASURED and each.id not in decision.limits)
        or each.id in {reason.indicator for reason in decision.reasons}
    ]  # fmt: skip
    if bad:
        connection.execute(insert(failing), bad)


def _plain(each: Indicator) -> dict[str, object]:
    found = {f.name: getattr(each, f.name) for f in dataclasses.fields(each)}
    return {**found, "parts": dict(each.parts)}


def _newest(facts: Facts) -> dict[str, object]:
    """What the school page shows of the newest day besides the indicators."""
    if not facts.days:
        return {}
    day = facts.days[-1]
    return {
        "day": day["day"], "software": day["software"], "policy": day["policy"],
        "facility": day["facility"], "clock": day["clock"], "tiers": sorted(day["tiers"]),
        "lists": [
            {key: each[key] for key in ("id", "category", "entries", "checked_h", "intact")}
            for each in day["lists"]
        ],
        "failed": day["selftest"]["failed"][:20], "roles": day["governance"]["roles"],
        "last_review": day["governance"]["last_review"], "actions": day["governance"]["actions"],
    }  # fmt: skip


def stale_left(office: Office) -> int:
    """How many months wait for their assessment."""
    return len(office.rows(select(stale.c.school)))


def reassess_index(connection: Connection, index: str, today: date) -> None:
    """A laboratory result came: the open months of every school must be looked at again."""
    wanted = or_(schools.c.last_day.is_not(None), schools.c.enrolled.is_not(None))
    found = connection.execute(select(schools.c.id).where(wanted)).scalars().all()
    mark_stale(connection, itertools.product(found, _open_months(today)))
