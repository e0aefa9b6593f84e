"""Devices: enrolled by a one-time code, their key pinned, rotated with the old key, revoked.

Owns `codes` and `devices`. A code is shown once and kept as a hash; a school has one active device.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from admin_ui.office.database import Office, mark_stale
from admin_ui.office.tables import codes, devices, schools
from filterd.errors import EvidenceError
from filterd.evidence import signing
from filterd.evidence.signing import Signed

CODE_DAYS = 14
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
ROTATION = "rotation"
"""The kind of envelope in which an old key names its successor."""


def hashed(code: str) -> str:
    """How a code is kept: blanks, dashes and case do not matter."""
    text = "".join(c for c in code.upper() if c.isalnum())
    return hashlib.sha256(text.encode()).hexdigest()


def new_code(office: Office, school: str, by: str) -> str:
    """A one-time code of 79 bits for this school; codes given out before for it are void."""
    code = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
    expires = (office.clock() + timedelta(days=CODE_DAYS)).isoformat(timespec="seconds")
    with office.write() as connection:
        found = connection.execute(select(schools.c.id).where(schools.c.id == school)).scalar()
        if found is None:
            raise EvidenceError("unknown_school", f"no school {school!r} in the register")
        unused = and_(codes.c.school == school, codes.c.used.is_(None))
        connection.execute(update(codes).where(unused).values(used="void"))
        connection.execute(
            insert(codes).values(hash=hashed(code), school=school, expires=expires, made_by=by)
        )
    return code


def enrol(office: Office, code: str, public_hex: str) -> str:
    """Pin this key to the code's school; the school's id. EvidenceError `code` or `key`."""
    try:
        public = bytes.fromhex(public_hex)
    except ValueError:
        public = b""
    if len(public) != 32:
        raise EvidenceError("key", "the public key is not 32 octets")
    now = office.moment()
    with office.write() as connection:
        query = select(codes).where(codes.c.hash == hashed(code))
        row = connection.execute(query.with_for_update()).mappings().first()
        if row is None or row["used"] or row["expires"] < now:
            raise EvidenceError("code", "the code is unknown, used or too old")
        used = update(codes).where(codes.c.hash == row["hash"]).values(used=now)
        connection.execute(used)
        _add(connection, office, row["school"], public)
    return str(row["school"])


def _add(connection: Connection, office: Office, school: str, public: bytes) -> str:
    id, now = signing.fingerprint(public), office.moment()
    if connection.execute(select(devices.c.id).where(devices.c.id == id)).scalar():
        raise EvidenceError("key", "this key is enrolled already")
    old = and_(devices.c.school == school, devices.c.state == "active")
    ended = {"state": "rotated", "ended": now, "successor": id}
    connection.execute(update(devices).where(old).values(**ended))
    connection.execute(
        insert(devices).values(
            id=id, school=school, public=public.hex(), state="active", enrolled=now
        )
    )
    day = office.today().isoformat()
    first = and_(schools.c.id == school, schools.c.enrolled.is_(None))
    connection.execute(update(schools).where(first).values(enrolled=day))
    mark_stale(connection, [(school, day[:7])])
    return id


def rotate(office: Office, envelope: bytes) -> str:
    """A new key, named by the old one: body {"public": hex}; the new device id."""
    signed = signing.decode(envelope, 4096)
    with office.write() as connection:
        device = active(connection, signed)
        body = signing.verify(signed, bytes.fromhex(device["public"]), ROTATION)
        try:
            public = bytes.fromhex(json.loads(body)["public"])
        except (ValueError, KeyError, TypeError):
            raise EvidenceError("key", "the new key cannot be read") from None
        if len(public) != 32:
            raise EvidenceError("key", "the public key is not 32 octets")
        return _add(connection, office, device["school"], public)


def active(connection: Connection, signed: Signed) -> Any:
    """The device that an envelope names, when it is known and active; nothing is verified yet.

    On PostgreSQL its row stays locked until the transaction ends. EvidenceError `unknown_device`
    or `revoked`.
    """
    query = select(devices).where(devices.c.id == signed.device).with_for_update()
    return usable(connection.execute(query).mappings().first())


def usable(device: Any) -> Any:
    """The row of a device that may still send. EvidenceError `unknown_device` or `revoked`."""
    if device is None:
        raise EvidenceError("unknown_device", "no such device is enrolled")
    if device["state"] != "active":
        raise EvidenceError("revoked", f"this device's key is {device['state']}")
    return device


def revoke(office: Office, device: str) -> None:
    """Take nothing more that this key signs."""
    ended = {"state": "revoked", "ended": office.moment()}
    with office.write() as connection:
        connection.execute(update(devices).where(devices.c.id == device).values(**ended))


def of_school(office: Office, school: str) -> list[dict[str, Any]]:
    """Its devices, the newest first."""
    return office.rows(
        select(devices).where(devices.c.school == school).order_by(devices.c.enrolled.desc())
    )
