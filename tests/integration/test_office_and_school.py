"""A school's line to a real office over HTTPS: enrolment, bundle, summaries, independent proof."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from admin_ui.office import assess, enrolment, ingest, proof, publish, register
from admin_ui.office.tables import assessments, proofs, summaries
from filterd.errors import EvidenceError
from filterd.evidence import courier
from filterd.evidence.bundle import Entry
from filterd.lists import overlay
from filterd.storage.database import open_database
from filterd.storage.evidence import EvidenceStore, StoredSummary
from filterd.wire.names import from_text
from tests.lab.office_hub import Hub, open_hub, visit
from tests.lab.office_school import Box, days, entry
from tests.lab.private_postgres import free_port

ZONE = "thu.so.example"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with open_hub(tmp_path) as opened:
        yield opened


def test_a_name_added_by_the_office_is_in_the_schools_lists_after_one_visit(hub: Hub) -> None:
    box = hub.box()
    link = hub.link(box)
    assert visit(hub, link) == (0, None)
    publish.add(hub.office, Entry("xấu.example", "12/CV", "PA05", "2026-11-01", None), "test")
    publish.release(hub.office, "test", "first")
    assert visit(hub, link) == (1, None)
    assert hub.applied == 1
    path = hub.folder / "school" / "lists" / "office" / "authority.txt"
    assert path.read_text() == f"||{from_text('xấu.example')}^$important\n"
    assert path.read_text() == f"||{from_text('xấu.example')}^$important\n"
    assert overlay.figures(path)["entries"] == 1
    assert visit(hub, link) == (1, None)
    assert hub.applied == 1, "an unchanged bundle is not applied again"
    assert link.version == "1"


def test_old_expired_and_forged_bundles_change_nothing(hub: Hub) -> None:
    box = hub.box()
    publish.release(hub.office, "test", "one")
    old = (hub.folder / "public" / "bundle.json").read_bytes()
    publish.release(hub.office, "test", "two")
    link = hub.link(box)
    assert visit(hub, link) == (2, None)
    target = hub.folder / "public" / "bundle.json"
    target.write_bytes(old)
    version, error = visit(hub, link)
    assert version == 2
    assert error is not None
    assert "2 is in use" in error
    forged = json.loads(old)
    forged["body"] = forged["body"].replace('"version":1', '"version":9')
    target.write_text(json.dumps(forged))
    assert "signatures" in (visit(hub, link)[1] or "")
    publish.release(hub.office, "test", "three")
    hub.clock.now += timedelta(days=40)
    assert "expired" in (visit(hub, link)[1] or "")
    assert link.version == "2"


def test_a_rotated_release_key_is_followed_and_the_old_one_is_dead(hub: Hub) -> None:
    box = hub.box()
    publish.release(hub.office, "test", "one")
    link = hub.link(box)
    assert visit(hub, link) == (1, None)
    assert publish.rotate(hub.office, hub.folder / "keys") == 2
    publish.release(hub.office, "test", "two")
    assert visit(hub, link) == (2, None)
    assert publish.rotate(hub.office, hub.folder / "keys") == 3
    publish.release(hub.office, "test", "three")
    assert visit(hub, link) == (3, None)
    assert visit(hub, hub.link(box, "new-box")) == (3, None)


def test_the_other_of_two_boxes_answers_by_the_same_bundle(hub: Hub) -> None:
    """Only the first has the line to the office; the second takes what the first has in use."""
    first, second = hub.link(hub.box()), hub.link(Box("79002"), "second")
    publish.add(hub.office, Entry("cam.example", "12/CV", "PA05", "2026-11-01", "2026-11-05"), "t")
    publish.release(hub.office, "test", "one")
    assert first.carried(0) is None
    assert visit(hub, first) == (1, None)
    carried = first.carried(0)
    assert carried is not None and first.carried(1) is None
    assert asyncio.run(second.take(carried)) == 1 and second.version == "1"
    names = hub.folder / "second" / "lists" / "office" / "authority.txt"
    assert "cam.example" in names.read_text()
    assert asyncio.run(second.take(carried)) == 1  # twice is once
    for bad in (b"", b"{}", carried.replace(b"cam.example", b"xau.example")):
        with pytest.raises(EvidenceError):
            asyncio.run(hub.link(Box("79003"), "third").take(bad))
    hub.clock.to(date(2026, 11, 6))
    assert asyncio.run(second.next_day())
    assert "cam.example" not in names.read_text()
    hub.clock.now += timedelta(days=100)  # expired: it stays in use on the first, so on the second
    assert asyncio.run(hub.link(Box("79004"), "fourth").take(carried)) == 1


@dataclass
class Bind:
    """The office's own authoritative server with its query log."""

    port: int
    log: Path

    def ask(self, name: str) -> None:
        dig = ["dig", "+tries=1", "+time=3", "-p", str(self.port), "@127.0.0.1", name, "A"]
        subprocess.run(dig, check=True, capture_output=True, timeout=10)

    def wait_for(self, name: str) -> None:
        deadline = time.monotonic() + 10
        while name not in self.log.read_text("utf-8"):
            assert time.monotonic() < deadline, "the query log did not tell of it"
            time.sleep(0.05)


@pytest.fixture
def bind(tmp_path: Path) -> Iterator[Bind]:
    if shutil.which("named") is None:
        pytest.skip("Debian's bind9 is not installed")
    port, home = free_port(), tmp_path / "bind"
    home.mkdir()
    (home / "zone").write_text(
        f"$TTL 30\n@ SOA ns.{ZONE}. root.{ZONE}. 1 3600 600 86400 30\n@ NS ns.{ZONE}.\n"
        "ns A 127.0.0.1\n* A 192.0.2.1\n"
    )
    (home / "named.conf").write_text(
        f'options {{ directory "{home}"; listen-on port {port} {{ 127.0.0.1; }};'
        f' listen-on-v6 {{ none; }}; recursion no; pid-file "{home}/pid";'
        ' session-keyfile "session.key"; dnssec-validation no; };\n'
        f'controls {{ }};\nzone "{ZONE}" {{ type primary; file "{home}/zone"; }};\n'
        f'logging {{ channel q {{ file "{home}/query.log"; severity info; print-time yes; }};'
        " category queries { q; }; };\n"
    )
    server = subprocess.Popen(
        ["named", "-f", "-c", str(home / "named.conf")], stderr=subprocess.DEVNULL
    )
    found = Bind(port, home / "query.log")
    try:
        deadline = time.monotonic() + 20
        while True:
            assert server.poll() is None, "named ended"
            try:
                found.ask(f"hello.{ZONE}")
                break
            except subprocess.CalledProcessError:
                assert time.monotonic() < deadline, "named did not start"
                time.sleep(0.1)
        yield found
    finally:
        server.terminate()
        server.wait(10)


def round_of(hub: Hub, box: Box) -> list[str]:
    """Move to the next round's moment and let the school's line fetch its names."""
    month = hub.office.today().isoformat()[:7]
    due = proof.moments(proof._secret(hub.office), box.school, month)
    hub.clock.now = max(hub.clock.now, next(at for at in due if at > hub.clock.now))
    hub.asked.clear()
    done = asyncio.run(hub.link(box).round(hub.line))
    assert done.error is None
    assert done.proof
    return list(hub.asked)


def judged(hub: Hub, bind: Bind) -> list[int]:
    proof.read_log(hub.office, bind.log)
    hub.clock.now += timedelta(minutes=11)
    proof.judge(hub.office)
    return [row["passed"] for row in hub.office.rows(select(proofs).order_by(proofs.c.asked))]


def test_t10_the_office_sees_through_a_device_that_fakes_its_canaries(hub: Hub, bind: Bind) -> None:
    """Acceptance T10, second part: I5b on a real authoritative server's query log."""
    publish.set_proof_zone(hub.office, ZONE)
    box = hub.box()
    names = round_of(hub, box)
    blocked = [name for name in names if ".open." not in name]
    assert len(blocked) == 7
    assert len(names) == 10

    honest = [name for name in names if ".open." in name]
    for name in honest:
        bind.ask(name)
    bind.wait_for(honest[-1])
    assert judged(hub, bind) == [1]

    everything = round_of(hub, box)  # the filter is off; only its own report says "blocked"
    for name in everything:
        bind.ask(name)
    bind.wait_for(everything[-1])
    assert judged(hub, bind) == [1, 0]

    round_of(hub, box)  # the box asks nothing at all
    assert judged(hub, bind) == [1, 0, 0]

    sent = hub.office.today()
    for day in days(date(2026, 11, 1), (sent - date(2026, 11, 1)).days):
        ingest.take(hub.office, box.day(day))
    assess.sweep_all(hub.office)
    row = hub.office.rows(select(assessments))[0]
    assert row["status"] == "not_met"
    assert "I5b" in row["reasons"]
    found = next(i for i in json.loads(row["indicators"]) if i["id"] == "I5b")
    assert (found["n"], found["verdict"]) == (3, "fail")


def test_a_request_of_another_moment_starts_no_round(hub: Hub) -> None:
    publish.set_proof_zone(hub.office, ZONE)
    box = hub.box()
    hub.clock.now = datetime(2026, 11, 29, tzinfo=UTC)
    late = box.key.sign("proof", b'{"at":"2026-11-28T00:00:00+00:00"}').encode()
    with pytest.raises(Exception, match="not of this moment"):
        proof.ask(hub.office, late)


async def test_thirty_days_without_a_line_come_in_order_when_it_is_back(
    hub: Hub, tmp_path: Path
) -> None:
    """The spool: nothing is lost, nothing comes twice, late days count and are flagged, and a line
    that breaks half-way goes on where it broke."""
    school = entry(1)
    register.load(hub.office, [school], date(2026, 9, 1))
    box = Box(school.id)
    code = enrolment.new_code(hub.office, school.id, "test")
    await courier.enrol(hub.line, code, box.key)
    database = await open_database(tmp_path / "filterd.db")
    store = EvidenceStore(database)
    for day in days(date(2026, 11, 1), 30):
        signed = box.day(day)
        await store.add_summary(StoredSummary(box.counter, day.isoformat(), box.previous, signed))
    sender = courier.Courier(store, hub.clock)
    nobody = courier.Office(f"https://127.0.0.1:{free_port()}", hub.line.ca)
    assert (await sender.deliver(nobody)).waiting is not None
    assert len(await store.unsent(100)) == 30

    hub.clock.to(date(2026, 12, 1))
    hub.closed_after = 12
    broken = await sender.deliver(hub.line)
    assert (broken.taken, broken.refused) == (12, 0)
    assert broken.waiting == "HTTP 503"
    hub.closed_after = None
    done = await sender.deliver(hub.line)
    assert (done.taken, done.refused, done.waiting) == (18, 0, None)
    await database.close()

    rows = hub.office.rows(select(summaries).order_by(summaries.c.counter))
    assert [row["counter"] for row in rows] == list(range(1, 31))
    assert [row["gap"] for row in rows] == [0] * 30
    assert [row["late"] for row in rows] == [1] * 27 + [0] * 3
    assess.sweep_all(hub.office)
    found = hub.office.rows(select(assessments).where(assessments.c.month == "2026-11"))[0]
    assert (found["days"], found["late"], found["status"]) == (30, 27, "conditional")


def _close_after(hub: Hub, taken: int) -> None:
    hub.closed_after = taken
