"""Many summaries in one transaction are judged exactly as they would be one after the other."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, select, text, update

from admin_ui.office import assess, database, enrolment, ingest, register
from admin_ui.office.database import Office, open_office
from admin_ui.office.ingest import Gathering
from admin_ui.office.keeping import Arrived, keep
from admin_ui.office.tables import (
    assessments,
    cells,
    devices,
    schema_version,
    schools,
    stale,
    summaries,
)
from filterd.errors import EvidenceError
from filterd.evidence import signing
from filterd.evidence.canonical import canonical
from filterd.evidence.chain import Outcome
from filterd.evidence.records import CellRow, Summary
from tests.lab.office_school import Box, Clock, days, enrolled_box, entry, fresh_office

NOON = datetime(2026, 11, 25, tzinfo=UTC)


def post_of_two_schools(boxes: list[Box], chance: random.Random) -> list[bytes]:
    """Days in order, days again, gaps, forks, a month's cells with other numbers, and a day that
    two boxes claim."""
    sent: list[bytes] = []
    day = date(2026, 11, 1)
    for _ in range(24):
        box = chance.choice(boxes)
        match chance.randrange(8):
            case 0 if sent:
                sent.append(chance.choice(sent))
            case 1:
                box.counter += chance.randrange(1, 3)  # a spool that was lost
            case 2:
                box.previous = "e" * 64
            case 3:
                box.counter = max(0, box.counter - 1)
            case _:
                sent.append(box.day(day, _with_cells if chance.random() < 0.3 else None))
                day += timedelta(days=chance.choice((0, 0, 1, -1)))
    return sent


def _with_cells(record: Summary) -> None:
    number = int(record["counter"]) % 2 * 10 + 10
    row: CellRow = {"cells": {"porn": number}, "total": number}
    record["cells"] = {"month": "2026-10", "rows": {"primary": row}, "total": number, "hidden": 0}


def kept(office: Office) -> dict[str, list[dict[str, object]]]:
    wanted = [select(table) for table in (summaries, cells, devices, schools)]
    wanted.append(select(stale.c.school, stale.c.month))
    return {str(query): sorted(office.rows(query), key=str) for query in wanted}


@pytest.mark.parametrize("seed", range(12))
def test_a_batch_is_judged_like_one_after_the_other(seed: int, tmp_path: Path) -> None:
    alone, together = [], []
    found = []
    boxes = [Box("VN-91-000001"), Box("VN-91-000002")]
    post = post_of_two_schools(boxes, random.Random(seed))
    for name in ("alone", "together"):
        (tmp_path / name).mkdir()
        office = fresh_office(tmp_path / name, Clock(NOON))
        for number, box in enumerate(boxes, 1):
            _enrol(office, number, box)
        arrived = [_arrived(office, envelope) for envelope in post]
        if name == "alone":
            alone = [keep(office, [each])[0] for each in arrived]
        else:
            together = keep(office, arrived)
        found.append(kept(office))
        office.engine.dispose()
    assert [_said(each) for each in together] == [_said(each) for each in alone]
    assert found[0] == found[1]


def _enrol(office: Office, number: int, box: Box) -> None:
    register.load(office, [entry(number)], date(2026, 9, 1))
    code = enrolment.new_code(office, box.school, "test")
    enrolment.enrol(office, code, box.key.public.hex())


def _arrived(office: Office, envelope: bytes) -> Arrived:
    return Gathering(office)._verified(envelope)


def _said(result: Outcome | EvidenceError) -> str:
    return result.code if isinstance(result, EvidenceError) else result.value


def test_threads_share_commits_and_each_gets_its_own_answer(office: Office, clock: Clock) -> None:
    boxes = [enrolled_box(office, n) for n in range(1, 13)]
    clock.to(date(2026, 11, 12))
    post: list[tuple[str, bytes]] = []
    for box in boxes:
        post += [(Outcome.ACCEPTED, box.day(day)) for day in days(date(2026, 11, 1), 3)]
        post[-1] = ("fork", _forked(box))
    gathering = Gathering(office)

    def send(share: list[tuple[str, bytes]]) -> list[tuple[str, str]]:
        return [(wanted, _sent(gathering, envelope)) for wanted, envelope in share]

    shares = [post[n * 3 : n * 3 + 3] for n in range(len(boxes))]
    with ThreadPoolExecutor(12) as pool:
        answers = [pair for share in pool.map(send, shares) for pair in share]
    assert [said for _, said in answers] == [wanted for wanted, _ in answers]
    assert len(office.rows(select(summaries))) == 24


def _forked(box: Box) -> bytes:
    box.counter, box.previous = box.counter - 1, "f" * 64
    return box.day(date(2026, 11, 3))


def _sent(gathering: Gathering, envelope: bytes) -> str:
    try:
        return gathering.take(envelope).value
    except EvidenceError as error:
        return error.code


def test_a_day_that_is_in_no_calendar_is_refused(office: Office, clock: Clock) -> None:
    """The schema's pattern lets 2026-02-31 pass; nothing after it may stumble over it."""
    box = enrolled_box(office)
    clock.to(date(2026, 11, 3))
    record = json.loads(signing.decode(box.day(date(2026, 11, 1))).body)
    for change in (
        {"day": "2026-11-31"},
        {"governance": {**record["governance"], "last_review": "2026-13-01"}},
    ):
        body = canonical({**record, **change})
        with pytest.raises(EvidenceError, match="in no calendar"):
            ingest.take(office, box.key.sign(signing.SUMMARY, body).encode())


def test_what_comes_while_a_month_is_assessed_is_not_forgotten(
    office: Office, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = enrolled_box(office)
    clock.to(date(2026, 11, 3))
    ingest.take(office, box.day(date(2026, 11, 1)))
    whole = assess.assess

    def slow(connection: Connection, at: Office, school: str, month: str) -> assess.Result | None:
        found = whole(connection, at, school, month)
        if box.counter == 1:
            ingest.take(office, box.day(date(2026, 11, 2)))
        return found

    monkeypatch.setattr(assess, "assess", slow)
    assert assess.sweep(office) == 1
    assert office.rows(select(assessments.c.days)) == [{"days": 1}]
    assess.sweep_all(office)
    assert office.rows(select(assessments.c.days)) == [{"days": 2}]
    assert office.rows(select(stale)) == []


def test_the_office_knows_which_bundle_a_school_uses(office: Office, clock: Clock) -> None:
    box = enrolled_box(office)
    clock.to(date(2026, 11, 2))
    named = box.day(date(2026, 11, 1), lambda record: record["policy"].update(bundle="17"))
    ingest.take(office, named)
    assert office.rows(select(devices.c.bundle)) == [{"bundle": 17}]


def test_a_database_of_the_first_schema_is_brought_up(office: Office, clock: Clock) -> None:
    with office.write() as connection:
        connection.execute(text("ALTER TABLE stale DROP COLUMN marked"))
        connection.execute(text("DROP INDEX assessments_seen"))
        connection.execute(text("ALTER TABLE summaries DROP COLUMN method"))
        connection.execute(text("ALTER TABLE assessments DROP COLUMN strange"))
        connection.execute(update(schema_version).values(number=1))
    url = office.engine.url.render_as_string(hide_password=False)
    again = open_office(url, office.state_dir, clock)
    mark_stale(again, "x")
    mark_stale(again, "x")
    assert again.rows(select(stale.c.marked)) == [{"marked": 1}]
    assert again.rows(select(summaries.c.method)) == again.rows(select(assessments.c.strange)) == []
    again.engine.dispose()


def mark_stale(office: Office, school: str) -> None:
    with office.write() as connection:
        database.mark_stale(connection, [(school, "2026-11")])


def test_a_school_that_cannot_be_assessed_does_not_stop_the_others(
    office: Office, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, good = enrolled_box(office, 1), enrolled_box(office, 2)
    clock.to(date(2026, 11, 2))
    for box in (broken, good):
        ingest.take(office, box.day(date(2026, 11, 1)))
    whole = assess.assess

    def stumbling(connection: object, at: Office, versions: object, key: object) -> object:
        if key == (broken.school, "2026-11"):
            raise ValueError("something no check foresaw")
        return whole(connection, at, versions, key)  # type: ignore[arg-type]

    monkeypatch.setattr(assess, "assess", stumbling)
    assess.sweep_all(office)
    assert [row["school"] for row in office.rows(select(assessments))] == [good.school]
    assert office.rows(select(stale)) == []


def test_a_database_server_that_started_anew_costs_no_error(
    office: Office, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not office.postgres:
        pytest.skip("a file needs no connection")
    monkeypatch.setattr(database, "_IDLE_S", 0.0)
    assert office.rows(select(stale)) == []
    others = psycopg.connect(
        office.engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
        autocommit=True,
    )
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    others.execute(ended + " AND datname = current_database()")
    others.close()
    assert office.rows(select(stale)) == []
