"""Verified summaries, many at once: judged against their device's head, kept in one transaction.

Owns `summaries` and `cells`, and moves `devices` and `schools` on. Knows no signature: what comes
here was verified. One transaction for many is what makes hundreds a second possible; each of them
is judged as if it had come alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, insert, or_, select, update

from admin_ui.office.database import Office, ensure_month, mark_stale
from admin_ui.office.enrolment import usable
from admin_ui.office.tables import cells, devices, schools, summaries
from filterd.errors import EvidenceError
from filterd.evidence import chain
from filterd.evidence.canonical import canonical, digest
from filterd.evidence.chain import Head, Outcome
from filterd.evidence.records import Summary

SPOOL = timedelta(days=45)
"""A summary of a day longer before the device's enrolment than its spool can hold is refused."""
YEARS = timedelta(days=1500)
Result = Outcome | EvidenceError


@dataclass(frozen=True, slots=True)
class Arrived:
    """A summary whose signature and shape are good; `packed` is its envelope, compressed."""

    device: str
    school: str
    day: date
    summary: Summary
    digest: str
    packed: bytes


@dataclass(slots=True)
class _Batch:
    """What the transaction has read and will write; later ones of a device see earlier ones."""

    now: datetime
    devices: dict[str, Any]
    heads: dict[str, Head | None] = field(default_factory=dict)
    bundles: dict[str, int | None] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    fresh: dict[tuple[str, int], str] = field(default_factory=dict)
    cells: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)


def keep(office: Office, arrived: Sequence[Arrived]) -> list[Result]:
    """One result for each, in their order; what is refused leaves nothing behind."""
    for month in {each.summary["day"][:7] for each in arrived
                  if abs(each.day - office.today()) < YEARS}:  # fmt: skip
        ensure_month(office, month)  # what lies further away is refused below
    with office.write() as connection:
        batch = _Batch(office.clock(), _locked(connection, {each.device for each in arrived}))
        results: list[Result] = []
        for each in arrived:
            try:
                results.append(_judge(connection, batch, each))
            except EvidenceError as error:
                results.append(error)
        if batch.rows:
            _write(connection, office, batch)
    return results


def _locked(connection: Connection, ids: Iterable[str]) -> dict[str, Any]:
    """The devices' rows; on PostgreSQL locked, always in the same order (so no two wait for each
    other) until the transaction ends."""
    query = select(devices).where(devices.c.id.in_(ids)).order_by(devices.c.id).with_for_update()
    return {row["id"]: row for row in connection.execute(query).mappings()}


def _judge(connection: Connection, batch: _Batch, each: Arrived) -> Outcome:
    device = usable(batch.devices.get(each.device))
    if each.day < date.fromisoformat(device["enrolled"][:10]) - SPOOL:
        raise EvidenceError("too_old", "a day before this device was enrolled")
    head = batch.heads.get(each.device, _head(device))
    counter = each.summary["counter"]
    stored = _stored(connection, batch, each, head)
    outcome = chain.judge(head, each.summary, each.digest, batch.now, stored)
    if outcome.refused:
        raise EvidenceError(outcome.value, f"counter {counter}: {outcome.value}")
    if outcome is Outcome.KNOWN:
        return outcome
    _release(connection, batch, each)
    batch.heads[each.device] = Head(counter, each.digest, each.day)
    batch.bundles[each.device] = _bundle(each.summary)
    batch.fresh[each.device, counter] = each.digest
    batch.rows.append(
        {
            "day": each.summary["day"], "device": each.device, "counter": counter,
            "school": each.school, "digest": each.digest,
            "received": batch.now.isoformat(timespec="seconds"),
            "late": int(chain.late(each.summary, batch.now)), "gap": int(outcome is Outcome.GAP),
            "envelope": each.packed, "method": each.summary["method"],
        }
    )  # fmt: skip
    return outcome


def _head(device: Any) -> Head | None:
    if not device["counter"]:
        return None
    return Head(device["counter"], device["digest"], date.fromisoformat(device["day"]))


def _bundle(summary: Summary) -> int | None:
    """The version of the office's bundle that the school says it uses."""
    named = summary["policy"]["bundle"] or ""
    return int(named) if named.isdecimal() and len(named) < 10 else None


def _stored(connection: Connection, batch: _Batch, each: Arrived, head: Head | None) -> str | None:
    """The digest kept under this counter; only one at or below the head can be there."""
    counter = each.summary["counter"]
    if head is None or counter > head.counter:
        return None
    if (found := batch.fresh.get((each.device, counter))) is not None:
        return found
    same = and_(summaries.c.device == each.device, summaries.c.counter == counter)
    kept = connection.execute(select(summaries.c.digest).where(same)).scalar()
    return None if kept is None else str(kept)


def _release(connection: Connection, batch: _Batch, each: Arrived) -> None:
    """A month's cells once; the same month with other numbers is refused (no differencing)."""
    release = each.summary["cells"]
    if release is None:
        return
    body = canonical(release)
    key, found = (release["month"], each.school), digest(body)
    if key in batch.cells:
        before: str | None = batch.cells[key][0]
    else:
        same = and_(cells.c.month == key[0], cells.c.school == key[1])
        before = connection.execute(select(cells.c.digest).where(same)).scalar()
    if before not in (None, found):
        raise EvidenceError("released_twice", f"{key[0]} went out with other numbers")
    if before is None:
        batch.cells[key] = (found, body.decode())


_HEAD = ("counter", "digest", "day", "seen", "bundle")
_ADVANCE = (
    update(devices)
    .where(devices.c.id == bindparam("of"))
    .values(
        {key: bindparam(f"new_{key}") for key in ("counter", "digest", "day", "seen", "bundle")}
    )
)
_NEWEST = (
    update(schools)
    .where(
        schools.c.id == bindparam("of"),
        or_(schools.c.last_day.is_(None), schools.c.last_day < bindparam("new_day")),
    )
    .values(last_day=bindparam("new_day"))
)


def _write(connection: Connection, office: Office, batch: _Batch) -> None:
    connection.execute(insert(summaries), batch.rows)
    seen = office.moment()
    connection.execute(
        _ADVANCE,
        [
            {"of": device, "new_counter": head.counter, "new_digest": head.digest,
             "new_day": head.day.isoformat(), "new_seen": seen,
             "new_bundle": batch.bundles[device]}
            for device, head in sorted(batch.heads.items()) if head is not None
        ],
    )  # fmt: skip
    newest: dict[str, str] = {}
    for row in batch.rows:
        newest[row["school"]] = max(newest.get(row["school"], ""), row["day"])
    connection.execute(
        _NEWEST, [{"of": school, "new_day": day} for school, day in sorted(newest.items())]
    )
    mark_stale(connection, {(row["school"], row["day"][:7]) for row in batch.rows})
    if batch.cells:
        connection.execute(
            insert(cells),
            [
                {"month": month, "school": school, "digest": found, "body": body}
                for (month, school), (found, body) in batch.cells.items()
            ],
        )
