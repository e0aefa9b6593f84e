"""Taking in what devices send: verify, judge, keep — or refuse and show.

Owns `refusals`. Sending the same again changes nothing and is told as known. `Gathering` lets the
threads of one process share a transaction; `take` is the same for one envelope alone.
"""

from __future__ import annotations

import json
import threading
import time
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
LINGER_S = 0.02
"""For so long a transaction waits for summaries that are being verified."""
POURING_S = 2.0


@dataclass(slots=True)
class _Waiting:
    arrived: Arrived
    result: Result | Exception | None = None


@dataclass(slots=True)
class Gathering:
    """Summaries of many request threads, kept together: one of those that wait carries all of
    them, so each commit serves as many as came during the one before."""

    office: Office
    _keys: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    _queue: list[_Waiting] = field(default_factory=list)
    _turn: threading.Condition = field(default_factory=threading.Condition)
    """Guards what stands above and below; told whenever any of it changes."""
    _reading: int = 0
    _carrying: bool = False
    _newest: float = float("-inf")

    def take(self, envelope: bytes) -> Outcome:
        """One envelope: accepted, gap or known; EvidenceError when refused (and written down)."""
        waiting = self._read(envelope)
        with self._turn:
            while waiting.result is None:
                if self._carrying:
                    self._turn.wait()
                else:
                    self._carry()
        if isinstance(waiting.result, EvidenceError):
            arrived = waiting.arrived
            _refuse(self.office, arrived.device, arrived.school, waiting.result)
        if isinstance(waiting.result, Exception):
            raise waiting.result
        return waiting.result

    def busy(self) -> bool:
        """Summaries are pouring in: a transaction of several ended just now."""
        return time.monotonic() - self._newest < POURING_S

    def _read(self, envelope: bytes) -> _Waiting:
        """Verify, and stand in the queue."""
        with self._turn:
            self._reading += 1
        arrived: Arrived | None = None
        try:
            arrived = self._verified(envelope)
            waiting = _Waiting(arrived)
        finally:
            with self._turn:
                self._reading -= 1
                if arrived is not None:
                    self._queue.append(waiting)
                self._turn.notify_all()
        return waiting

    def _carry(self) -> None:
        """With the turn in hand: wait for those who are nearly there (a transaction of two costs as
        much as one of twenty; nobody is waited for when nobody is), then keep them all."""
        self._carrying = True
        self._turn.wait_for(lambda: not self._reading or len(self._queue) >= BATCH, LINGER_S)
        batch, self._queue[:BATCH] = self._queue[:BATCH], []
        self._turn.release()
        results: Sequence[Result | Exception]
        try:
            results = keep(self.office, [each.arrived for each in batch])
        except Exception as error:
            results = [error] * len(batch)
        finally:
            self._turn.acquire()
            self._carrying = False
        for each, result in zip(batch, results, strict=True):
            each.result = result
        if len(batch) > 1:
            self._newest = time.monotonic()
        self._turn.notify_all()

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
