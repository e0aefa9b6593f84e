"""What devices send: taken once, judged, kept; everything else refused and shown."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from sqlalchemy import select

from admin_ui.office import assess, enrolment, ingest, tables
from admin_ui.office.database import Office
from admin_ui.office.metrics import exposition
from admin_ui.office.tables import assessments, refusals, schools, summaries
from filterd.errors import EvidenceError
from filterd.evidence import signing
from filterd.evidence.chain import Outcome
from filterd.evidence.records import CellRow, Cells, Summary
from tests.lab.office_school import Box, Clock, days, enrolled_box


def refused(office: Office, envelope: bytes) -> str:
    with pytest.raises(EvidenceError) as caught:
        ingest.take(office, envelope)
    return caught.value.code


def status(office: Office, school: str, month: str) -> str | None:
    assess.sweep_all(office)
    query = select(assessments.c.status).where(
        assessments.c.school == school, assessments.c.month == month
    )
    rows = office.rows(query)
    return rows[0]["status"] if rows else None


def test_a_month_of_good_days_is_met_but_for_what_only_the_office_can_prove(
    office: Office, clock: Clock
) -> None:
    box = enrolled_box(office)
    for day in days(date(2026, 11, 1), 30):
        clock.to(day.replace(day=day.day + 1) if day.day < 30 else date(2026, 12, 1))
        assert ingest.take(office, box.day(day)) is Outcome.ACCEPTED
    clock.to(date(2026, 12, 10))
    assert assess.new_day(office)
    # I5b (no proof rounds) and I6 (no laboratory result) are limits, not failures.
    assert status(office, box.school, "2026-11") == "conditional"
    row = office.rows(select(assessments).where(assessments.c.month == "2026-11"))[0]
    assert set(json.loads(row["limits"])) == {"I5b", "I6"}
    assert row["days"] == 30


def test_the_same_twice_is_known_and_changes_nothing(office: Office, clock: Clock) -> None:
    box = enrolled_box(office)
    clock.to(date(2026, 11, 2))
    sent = box.day(date(2026, 11, 1))
    assert ingest.take(office, sent) is Outcome.ACCEPTED
    assert ingest.take(office, sent) is Outcome.KNOWN
    assert len(office.rows(select(summaries))) == 1
    assert office.rows(select(refusals)) == []


def test_t10_forged_edited_and_replayed_summaries_are_refused_and_shown(
    office: Office, clock: Clock
) -> None:
    """Acceptance T10 (requirements §4.5): edited JSON, wrong key, replay."""
    box, other = enrolled_box(office), enrolled_box(office, 2)
    clock.to(date(2026, 11, 3))
    good = box.day(date(2026, 11, 1))
    ingest.take(office, good)

    edited = good.replace(b'\\"exposed_s\\":0', b'\\"exposed_s\\":1', 1)
    assert edited != good
    assert refused(office, edited) == "signature"

    stranger = Box(box.school).day(date(2026, 11, 2))
    assert refused(office, stranger) == "unknown_device"

    borrowed = json.loads(Box(box.school).day(date(2026, 11, 2)))
    borrowed["device"] = box.key.id
    assert refused(office, json.dumps(borrowed).encode()) == "signature"

    for_another = Box(box.school, other.key).day(date(2026, 11, 1))
    assert refused(office, for_another) == "wrong_school"

    box.counter -= 1
    rewritten = box.day(date(2026, 11, 1), lambda record: record.update(restart="1" * 16))
    assert refused(office, rewritten) == "replay"

    challenge = box.key.sign(signing.CHALLENGE, signing.decode(good).body).encode()
    assert refused(office, challenge) == "kind"

    shown = {row["code"]: row for row in office.rows(select(refusals))}
    assert set(shown) == {"signature", "unknown_device", "wrong_school", "replay", "kind"}
    assert shown["signature"]["school"] == box.school
    assert shown["signature"]["times"] == 2
    assert len(office.rows(select(summaries))) == 1


def test_chain_faults_are_told_apart(office: Office, clock: Clock) -> None:
    box = enrolled_box(office)
    clock.to(date(2026, 11, 6))
    ingest.take(office, box.day(date(2026, 11, 1)))
    box.previous = "f" * 64
    assert refused(office, box.day(date(2026, 11, 2))) == "fork"
    assert refused(office, box.day(date(2026, 11, 9))) == "future"
    assert ingest.take(office, box.day(date(2026, 11, 4))) is Outcome.GAP
    assert refused(office, box.day(date(2026, 11, 3))) == "backwards"
    assert refused(office, box.day(date(2026, 11, 3))) == "backwards"
    assert refused(office, b"{}") == "envelope"


def test_late_summaries_are_taken_and_flagged(office: Office, clock: Clock) -> None:
    box = enrolled_box(office)
    clock.to(date(2026, 11, 20))
    for day in days(date(2026, 11, 1), 15):
        ingest.take(office, box.day(day))
    late = [row["late"] for row in office.rows(select(summaries).order_by(summaries.c.day))]
    assert late == [1] * 15


def test_silence_is_not_compliance(office: Office, clock: Clock) -> None:
    box = enrolled_box(office)
    for day in days(date(2026, 11, 1), 10):
        clock.to(date(2026, 11, day.day + 1))
        ingest.take(office, box.day(day))
    assert status(office, box.school, "2026-11") == "conditional"
    clock.to(date(2026, 11, 20))
    assert assess.new_day(office)
    assert not assess.new_day(office)
    assert status(office, box.school, "2026-11") == "insufficient"


def test_exposure_is_not_met(office: Office, clock: Clock) -> None:
    box = enrolled_box(office)

    def open_line(record: Summary) -> None:
        record["time"].update(enforcing_s=30_000, exposed_s=6_000)

    for day in days(date(2026, 11, 1), 10):
        clock.to(date(2026, 11, day.day + 1))
        ingest.take(office, box.day(day, open_line))
    assert status(office, box.school, "2026-11") == "not_met"


def test_a_code_works_once_and_a_revoked_key_never(office: Office, clock: Clock) -> None:
    box = enrolled_box(office)
    code = enrolment.new_code(office, box.school, "test")
    fresh = Box(box.school)
    assert enrolment.enrol(office, code.lower(), fresh.key.public.hex()) == box.school
    with pytest.raises(EvidenceError, match="unknown, used"):
        enrolment.enrol(office, code, Box(box.school).key.public.hex())
    clock.to(date(2026, 11, 2))
    assert refused(office, box.day(date(2026, 11, 1))) == "revoked"
    ingest.take(office, fresh.day(date(2026, 11, 1)))
    enrolment.revoke(office, fresh.key.id)
    assert refused(office, fresh.day(date(2026, 11, 2))) == "revoked"
    states = {row["id"]: row["state"] for row in enrolment.of_school(office, box.school)}
    assert states == {box.key.id: "rotated", fresh.key.id: "revoked"}


def test_codes_grow_old(office: Office, clock: Clock) -> None:
    box = enrolled_box(office)
    code = enrolment.new_code(office, box.school, "test")
    clock.to(date(2026, 11, 30))
    with pytest.raises(EvidenceError, match="too old"):
        enrolment.enrol(office, code, Box(box.school).key.public.hex())


def test_an_old_key_names_its_successor(office: Office) -> None:
    box = enrolled_box(office)
    new = Box(box.school)
    body = json.dumps({"public": new.key.public.hex()}).encode()
    rotated = enrolment.rotate(office, box.key.sign(enrolment.ROTATION, body).encode())
    assert rotated == new.key.id
    with pytest.raises(EvidenceError, match="rotated"):
        enrolment.rotate(office, box.key.sign(enrolment.ROTATION, body).encode())
    assert office.rows(select(schools.c.enrolled))[0]["enrolled"] == "2026-11-01"


def test_many_processes_meet_a_new_month_at_once(office: Office, clock: Clock) -> None:
    """The month's partition is made once; the second does not fall over the first."""
    boxes = [enrolled_box(office, n) for n in range(1, 9)]
    clock.to(date(2026, 11, 2))
    sent = [box.day(date(2026, 11, 1)) for box in boxes]
    others = [dataclasses.replace(office, months=set()) for _ in sent]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(ingest.take, others, sent))
    assert outcomes == [Outcome.ACCEPTED] * 8


def test_t7_a_months_cells_come_once_and_never_with_other_numbers(
    office: Office, clock: Clock
) -> None:
    """Acceptance T7, the office's part: two releases of one month would allow a subtraction, so the
    second is refused and shown. The metrics know no cell at all."""

    def released(events: int) -> Callable[[Summary], None]:
        row: CellRow = {"cells": {"games": events}, "total": events}
        cells: Cells = {"month": "2026-10", "rows": {"primary": row}, "total": events, "hidden": 0}
        return lambda record: record.update(cells=cells)

    box = enrolled_box(office)
    clock.to(date(2026, 11, 5))
    assert ingest.take(office, box.day(date(2026, 11, 1), released(70))) is Outcome.ACCEPTED
    assert ingest.take(office, box.day(date(2026, 11, 2), released(70))) is Outcome.ACCEPTED
    assert refused(office, box.day(date(2026, 11, 3), released(80))) == "released_twice"
    kept = office.rows(select(tables.cells))
    assert [json.loads(row["body"])["total"] for row in kept] == [70]
    assert {row["code"] for row in office.rows(select(refusals))} == {"released_twice"}
    assess.sweep_all(office)
    assert "games" not in exposition(office)
