"""The office's metrics for its own Prometheus, computed from assessments at the scrape.

Sums by status, gate, commune and cause; never a school's traffic, never anything of a pupil.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from admin_ui.office import queries
from admin_ui.office.database import Office, months_back
from admin_ui.office.queries import Wanted
from admin_ui.office.tables import proofs, refusals, releases, stale, summaries
from filterd import whole_files

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ALIVE = select(1)
SILENT_DAYS = 3
Rows = Iterable[tuple[Mapping[str, str], float]]


def exposition(office: Office) -> str:
    """Everything, in the text format of Prometheus (exposition format 0.0.4)."""
    month = queries.newest_month(office)
    lines: list[str] = []
    for name, kind, text, rows in (*_statuses(office, month), *_work(office)):
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{_labels(labels)} {value:g}" for labels, value in rows]
    return "\n".join(lines) + "\n"


def _statuses(office: Office, month: str) -> list[tuple[str, str, str, Rows]]:
    last = months_back(month, 2)[0]
    now, before = queries.counts(office, month), queries.counts(office, last)
    silent_before = (office.today() - timedelta(days=SILENT_DAYS)).isoformat()
    silent = queries.schools_like(office, Wanted(month, silent_before=silent_before), limit=1)
    strange = queries.schools_like(office, Wanted(month, strange=True), limit=1)
    communes = [
        ({"commune": each["id"], "status": status}, float(n))
        for each in queries.communes(office, month)
        for status, n in each["counts"].by.items()
    ]
    gates = [
        ({"indicator": each["indicator"], "verdict": verdict}, float(each[verdict]))
        for each in queries.gates(office, month)
        for verdict in ("fail", "warn", "unmeasured")
    ]
    statuses = [
        ({"month": word, "status": status}, float(n))
        for word, found in (("current", now), ("last", before))
        for status, n in found.by.items()
    ]
    return [
        ("filterd_office_register_schools", "gauge", "Schools in the register",
         [({}, float(now.register))]),
        ("filterd_office_schools", "gauge", "Schools by status", statuses),
        ("filterd_office_silent_schools", "gauge", "Enrolled schools silent for days",
         [({}, float(silent["total"]))]),
        ("filterd_office_other_method_schools", "gauge", "Schools with days by another method",
         [({}, float(strange["total"]))]),
        ("filterd_office_gate_schools", "gauge", "Schools that an indicator holds back", gates),
        ("filterd_office_commune_schools", "gauge", "Schools by commune and status", communes),
    ]  # fmt: skip


def _work(office: Office) -> list[tuple[str, str, str, Rows]]:
    yesterday = (office.today() - timedelta(days=1)).isoformat()
    count = func.count().label("n")
    taken = office.rows(select(count).where(summaries.c.day == yesterday))[0]["n"]
    waiting = office.rows(select(count).select_from(stale))[0]["n"]
    version = office.rows(select(func.max(releases.c.version).label("n")))[0]["n"] or 0
    refused = office.rows(
        select(refusals.c.code, func.sum(refusals.c.times).label("n")).group_by(refusals.c.code)
    )
    judged = office.rows(
        select(proofs.c.passed, count).where(proofs.c.passed.is_not(None)).group_by(proofs.c.passed)
    )
    return [
        ("filterd_office_summaries_yesterday", "gauge", "Summaries of yesterday",
         [({}, float(taken))]),
        ("filterd_office_waiting_assessments", "gauge", "Months to be assessed",
         [({}, float(waiting))]),
        ("filterd_office_bundle_version", "gauge", "Newest published bundle",
         [({}, float(version))]),
        ("filterd_office_refused_total", "counter", "Summaries refused by cause",
         [({"code": row["code"]}, float(row["n"])) for row in refused]),
        ("filterd_office_proof_rounds_total", "counter", "Rounds of independent proof",
         [({"passed": "yes" if row["passed"] else "no"}, float(row["n"])) for row in judged]),
    ]  # fmt: skip


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def token(state_dir: Path) -> str:
    """What a scrape from another machine must show; made on first use (0600)."""
    path = state_dir / "keys" / "metrics.token"
    made = whole_files.secret(path, lambda: secrets.token_urlsafe(32).encode() + b"\n")
    return made.decode("ascii").strip()
