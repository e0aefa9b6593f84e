"""An office on a fresh database, a clock to turn, and schools whose boxes sign what tests want."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, update

from admin_ui.office import enrolment, methods, register
from admin_ui.office.database import Office, default_url, open_office
from admin_ui.office.register import Entry
from admin_ui.office.tables import devices, efficacy, proofs, schools
from filterd.evidence import signing
from filterd.evidence.canonical import digest
from filterd.evidence.records import Summary
from filterd.evidence.summary import FIRST, encode
from tests.lab.school_month import HASH, perfect_day


@dataclass
class Clock:
    """The office's clock; tests set `now`."""

    now: datetime = datetime(2026, 11, 1, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def to(self, day: date, hour: int = 1) -> None:
        """`hour` of that day, UTC."""
        self.now = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def fresh_office(folder: Path, clock: Clock | None, url: str | None = None) -> Office:
    return open_office(url or default_url(folder), folder, clock)


def entry(number: int, commune: int = 1) -> Entry:
    return Entry(
        f"VN-91-{number:06d}", f"Trường Tiểu học số {number}", f"X{commune:03d}",
        f"Xã số {commune}", "SO-91", "Sở GD&ĐT An Giang", "school", ("primary",), "An Giang",
    )  # fmt: skip


@dataclass
class Box:
    """One school's device: makes days, chains and signs them."""

    school: str
    key: signing.DeviceKey = field(
        default_factory=lambda: signing.from_private(Ed25519PrivateKey.generate())
    )
    counter: int = 0
    previous: str = FIRST

    def day(self, day: date, change: Callable[[Summary], None] | None = None) -> bytes:
        """The signed summary of a day as it travels; `change` edits it before it is signed."""
        self.counter += 1
        record = perfect_day(day, self.counter, self.previous)
        record["school"], record["device"] = self.school, self.key.id
        if change is not None:
            change(record)
        body = encode(record)
        self.previous = digest(body)
        return self.key.sign(signing.SUMMARY, body).encode()


def enrolled_box(office: Office, number: int = 1, commune: int = 1) -> Box:
    """A school in the register with its device enrolled now."""
    school = entry(number, commune)
    register.load(office, [school], date(2026, 9, 1))
    box = Box(school.id)
    enrolment.enrol(office, enrolment.new_code(office, school.id, "test"), box.key.public.hex())
    return box


def pin(office: Office, boxes: Iterable[Box], enrolled: str) -> None:
    """Devices that were enrolled at that moment, without the code's round trip."""
    rows = [
        {"id": box.key.id, "school": box.school, "public": box.key.public.hex(),
         "state": "active", "enrolled": enrolled}
        for box in boxes
    ]  # fmt: skip
    with office.write() as connection:
        connection.execute(insert(devices), rows)
        wanted = schools.c.id.in_([row["school"] for row in rows])
        connection.execute(update(schools).where(wanted).values(enrolled=enrolled[:10]))


def laboratory(office: Office) -> None:
    """The efficacy of the lists that all boxes here use, measured and good (I6)."""
    method = methods.current(office)
    body = {
        "index": HASH, "recall": {each: [995, 1000] for each in method.efficacy},
        "vietnamese": {each: [100, 100] for each in method.efficacy}, "false_block": [1, 4000],
    }  # fmt: skip
    row = {"list_index": HASH, "body": json.dumps(body), "entered": office.moment(),
           "entered_by": "test"}  # fmt: skip
    with office.write() as connection:
        connection.execute(insert(efficacy).values(**row))


def prove(office: Office, month: str, passed: Mapping[str, int]) -> None:
    """Four rounds of independent proof for each school, of which so many passed (I5b)."""
    at = office.moment()
    rounds = [
        {"id": f"{month}-{school}-{n}", "school": school, "month": month,
         "nonce": f"{month}-{school}-{n}", "asked": at, "due": at, "blocked": "[]",
         "control": "[]", "seen": "[]", "passed": int(n < good)}
        for school, good in passed.items() for n in range(4)
    ]  # fmt: skip
    with office.write() as connection:
        connection.execute(insert(proofs), rounds)


def days(first: date, count: int) -> list[date]:
    return [first + timedelta(days=n) for n in range(count)]
