"""Taking in what devices send: verify, judge, keep — or refuse and show.

Owns `refusals`. Sending the same again changes nothing and is told as known. `Gathering` lets the
threads of one process share a transaction; `take` is the same for one envelope alone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import zstandard
from sqlalchemy import select

from admin_ui.office.database import Office, upsert
from admin_ui.office.keeping import Arrived, Result, keep
from admin_ui.office.tables import devices, refusals
from filterd.errors import EvidenceError
from filterd.evidence import signing
from filterd.evidence.canonical import digest
from filterd.evidence.chain import Outcome
from filterd.evidence.records import Summary
from filterd.evidence.summary import MAX_BYTES, decode

_KEPT_DETAIL = 300
BATCH = 64


@dataclass(slots=True)
class _Waiting:
    arrived: Arrived
    result: Result | Exception | None = None


@dataclass(slots=True)
class Gathering:
    """Summaries of many request threads, kept together: whoever finds the way free carries all
    that wait, so each commit serves as many as came during the one before."""

    office: Office
    _keys: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    _queue: list[_Waiting] = field(default_factory=list)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def take(self, envelope: bytes) -> Outcome:
        """One envelope: accepted, gap or known; EvidenceError when refused (and written down)."""
        waiting = _Waiting(self._verified(envelope))
        self._queue.append(waiting)
        while waiting.result is None:
            with self._turn:
                if waiting.result is None:
                    self._carry()
        if isinstance(waiting.result, EvidenceError):
            arrived = waiting.arrived
            _refuse(self.office, arrived.device, arrived.school, waiting.result)
        if isinstance(waiting.result, Exception):
            raise waiting.result
        return waiting.result

    def _carry(self) -> None:
        batch = self._queue[:BATCH]
        del self._queue[: len(batch)]  # only the holder of the turn removes
        try:
            results: Sequence[Result] = keep(self.office, [each.arrived for each in batch])
        except Exception as error:
            for each in batch:
                each.result = error
            return
        for each, result in zip(batch, results, strict=True):
            each.result = result

    def _verified(self, envelope: bytes) -> Arrived:
        try:
            signed = signing.decode(envelope, MAX_BYTES * 2)
        except EvidenceError as error:
            _refuse(self.office, "?", None, error)
            raise
        school: str | None = None
        try:
            public, school = self._pinned(signed.device)
            body = signing.verify(signed, public, signing.SUMMARY)
            return _arrived(signed, school, body, envelope)
        except EvidenceError as error:
            _refuse(self.office, signed.device, school, error)
            raise

    def _pinned(self, device: str) -> tuple[bytes, str]:
        """The key and school of a device: its id is the key's fingerprint and it never changes
        school, so a found one stays good. Whether it may still send is asked in the transaction."""
        known = self._keys.get(device)
        if known is None:
            query = select(devices.c.public, devices.c.school).where(devices.c.id == device)
            with self.office.engine.connect() as connection:
                row = connection.execute(query).first()
            if row is None:
                raise EvidenceError("unknown_device", "no such device is enrolled")
            known = self._keys[device] = (bytes.fromhex(row.public), str(row.school))
        return known


def take(office: Office, envelope: bytes) -> Outcome:
    """One envelope by itself: accepted, gap or known; EvidenceError when refused."""
    return Gathering(office).take(envelope)


def _arrived(signed: signing.Signed, school: str, body: bytes, envelope: bytes) -> Arrived:
    summary = decode(body)
    if summary["device"] != signed.device or summary["school"] != school:
        raise EvidenceError("wrong_school", "signed by another school's device")
    try:
        day = date.fromisoformat(summary["day"])
    except ValueError:
        raise EvidenceError("schema", "day: no such day in the calendar") from None
    packed = zstandard.ZstdCompressor(level=3).compress(envelope)
    return Arrived(signed.device, school, day, summary, digest(body), packed)


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
