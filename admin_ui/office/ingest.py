"""Taking in what devices send: verify, judge, keep — or refuse and show.

Owns `summaries` and `refusals`. Sending the same again changes nothing and is told as known.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import cache
from typing import Any

import zstandard
from sqlalchemy import Connection, and_, insert, select, update

from admin_ui.office.database import Office, ensure_month, mark_stale, upsert
from admin_ui.office.enrolment import active
from admin_ui.office.tables import cells, devices, refusals, schools, summaries
from filterd.errors import EvidenceError
from filterd.evidence import chain, signing
from filterd.evidence.canonical import canonical, digest
from filterd.evidence.chain import Head, Outcome
from filterd.evidence.records import Summary
from filterd.evidence.summary import MAX_BYTES, decode

SPOOL = timedelta(days=45)
"""A summary of a day longer before the device's enrolment than its spool can hold is refused."""
YEARS = timedelta(days=1500)
_KEPT_DETAIL = 300


def take(office: Office, envelope: bytes) -> Outcome:
    """One envelope: accepted, gap or known; EvidenceError when refused (and it is written down)."""
    try:
        signed = signing.decode(envelope, MAX_BYTES * 2)
    except EvidenceError as error:
        _refuse(office, "?", None, error)
        raise
    school: str | None = None
    try:
        with office.engine.connect() as connection:
            query = select(devices.c.public, devices.c.school)
            known = connection.execute(query.where(devices.c.id == signed.device)).first()
        if known is None:
            raise EvidenceError("unknown_device", "no such device is enrolled")
        school = str(known.school)
        body = signing.verify(signed, bytes.fromhex(known.public), signing.SUMMARY)
        summary = decode(body)  # the slow part, before any lock
        if summary["device"] != signed.device or summary["school"] != school:
            raise EvidenceError("wrong_school", "signed by another school's device")
        packed = _packer().compress(envelope)
        return _keep(office, signed, summary, (digest(body), packed))
    except EvidenceError as error:
        _refuse(office, signed.device, school, error)
        raise


@cache
def _packer() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=3)


def _keep(
    office: Office, signed: signing.Signed, summary: Summary, form: tuple[str, bytes]
) -> Outcome:
    body_digest, packed = form
    now = office.clock()
    day = date.fromisoformat(summary["day"])
    if abs(day - office.today()) < YEARS:  # what lies further away is refused below
        ensure_month(office, summary["day"][:7])
    with office.write() as connection:
        device = active(connection, signed)
        if day < date.fromisoformat(device["enrolled"][:10]) - SPOOL:
            raise EvidenceError("too_old", "a day before this device was enrolled")
        stored = _stored(connection, device, summary["counter"])
        outcome = chain.judge(_head(device), summary, body_digest, now, stored)
        if outcome.refused:
            raise EvidenceError(outcome.value, f"counter {summary['counter']}: {outcome.value}")
        if outcome is Outcome.KNOWN:
            return outcome
        connection.execute(
            insert(summaries).values(
                day=summary["day"], device=signed.device, counter=summary["counter"],
                school=summary["school"], digest=body_digest, received=office.moment(),
                late=int(chain.late(summary, now)), gap=int(outcome is Outcome.GAP),
                envelope=packed,
            )
        )  # fmt: skip
        _advance(connection, office, summary, body_digest)
    return outcome


def _head(device: Any) -> Head | None:
    if not device["counter"]:
        return None
    return Head(device["counter"], device["digest"], date.fromisoformat(device["day"]))


def _stored(connection: Connection, device: Any, counter: int) -> str | None:
    """The digest kept under this counter; only one at or below the head can be there."""
    if counter > device["counter"]:
        return None
    same = and_(summaries.c.device == device["id"], summaries.c.counter == counter)
    found = connection.execute(select(summaries.c.digest).where(same)).scalar()
    return None if found is None else str(found)


def _advance(connection: Connection, office: Office, summary: Summary, body_digest: str) -> None:
    head = {"counter": summary["counter"], "digest": body_digest, "day": summary["day"],
            "seen": office.moment()}  # fmt: skip
    connection.execute(update(devices).where(devices.c.id == summary["device"]).values(**head))
    school, month = summary["school"], summary["day"][:7]
    newer = (schools.c.last_day.is_(None)) | (schools.c.last_day < summary["day"])
    connection.execute(
        update(schools).where(schools.c.id == school, newer).values(last_day=summary["day"])
    )
    mark_stale(connection, school, month)
    release = summary["cells"]
    if release is not None:
        _keep_cells(connection, school, dict(release))


def _keep_cells(connection: Connection, school: str, release: dict[str, Any]) -> None:
    """A month's cells once; the same month with other numbers is refused (no differencing)."""
    body = canonical(release)
    same = and_(cells.c.school == school, cells.c.month == release["month"])
    before = connection.execute(select(cells.c.digest).where(same)).scalar()
    if before not in (None, digest(body)):
        raise EvidenceError("released_twice", f"{release['month']} went out with other numbers")
    if before is None:
        connection.execute(
            insert(cells).values(
                month=release["month"], school=school, digest=digest(body), body=body.decode()
            )
        )


def _refuse(office: Office, device: str, school: str | None, error: EvidenceError) -> None:
    """One row a day for each device and cause, so that a flood of forgeries fills no disk."""
    known = device if school is not None else "?"
    row = {
        "day": office.today().isoformat(), "device": known, "code": error.code, "school": school,
        "times": 1, "last": office.moment(), "detail": str(error)[:_KEPT_DETAIL],
    }  # fmt: skip
    with office.write() as connection:
        statement = upsert(connection, refusals).values(**row)
        changed = {
            "times": refusals.c.times + 1, "last": row["last"], "detail": row["detail"],
        }  # fmt: skip
        connection.execute(
            statement.on_conflict_do_update(index_elements=["day", "device", "code"], set_=changed)
        )


def unpack(packed: bytes) -> bytes:
    """The envelope as it was sent."""
    return zstandard.ZstdDecompressor().decompress(packed, max_output_size=MAX_BYTES * 4)


def summary_of(packed: bytes) -> Summary:
    """The summary in a kept envelope; it was checked when it was taken."""
    summary: Summary = json.loads(signing.decode(unpack(packed), MAX_BYTES * 2).body)
    return summary
