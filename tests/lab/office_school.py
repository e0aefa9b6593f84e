"""An office on a fresh database, a clock to turn, and schools whose boxes sign what tests want."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from admin_ui.office import enrolment, register
from admin_ui.office.database import Office, default_url, open_office
from admin_ui.office.register import Entry
from filterd.evidence import signing
from filterd.evidence.canonical import digest
from filterd.evidence.records import Summary
from filterd.evidence.summary import FIRST, encode
from tests.lab.school_month import perfect_day


@dataclass
class Clock:
    """The office's clock; tests set `now`."""

    now: datetime = datetime(2026, 11, 1, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def to(self, day: date, hour: int = 1) -> None:
        """`hour` of that day, UTC."""
        self.now = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def fresh_office(folder: Path, clock: Clock, url: str | None = None) -> Office:
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
        record = copy.deepcopy(perfect_day(day, self.counter, self.previous))
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


def days(first: date, count: int) -> list[date]:
    return [first + timedelta(days=n) for n in range(count)]
