"""The independent proof (I5b): random names that a filtering school must not, and must, ask.

Owns `proofs`. A round names blocked names below the office's own zone and control names beside
them, mixed. The office reads its own authoritative server's query log: a round passes when every
control name was seen in time and no blocked one was. A device cannot fake that: it can stay
silent, and then the round fails.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import re
import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from sqlalchemy import and_, insert, select, update

from admin_ui.office import kept, methods
from admin_ui.office.database import Office, mark_stale
from admin_ui.office.enrolment import active
from admin_ui.office.publish import proof_zone
from admin_ui.office.tables import proofs
from filterd import whole_files
from filterd.errors import EvidenceError
from filterd.evidence import signing

KIND = "proof"
ROUNDS_A_MONTH = 4
CONTROLS = 3
ANSWER_WITHIN = timedelta(minutes=10)
REQUEST_AGE = timedelta(minutes=10)
OPEN = "open"
"""The label of control names; they are on no list."""
_PIECE_BYTES = 1 << 20
"""A name server's query log may gain gigabytes between two readings."""
_QUERY = re.compile(r"query: (\S+) IN \S+")
"""A line of BIND's query log (ARM §6.2.1, category `queries`)."""


def moments(secret: bytes, school: str, month: str) -> list[datetime]:
    """When this school's rounds of a month fall due: four instants nobody can foresee without the
    office's secret, 07:00 to 17:00 local on days 2 to 28."""
    seed = hmac.new(secret, f"{school}|{month}".encode(), hashlib.sha256).digest()
    chance = random.Random(seed)  # noqa: S311 - the seed is secret
    year, number = int(month[:4]), int(month[5:7])
    days = chance.sample(range(2, 29), ROUNDS_A_MONTH)
    return [
        datetime(year, number, day, chance.randrange(0, 10), chance.randrange(60), tzinfo=UTC)
        for day in sorted(days)
    ]


def ask(office: Office, envelope: bytes) -> dict[str, object] | None:
    """The round that is due for the device that signed; None when none is."""
    signed = signing.decode(envelope, 8192)
    zone = proof_zone(office)
    now, locked = office.clock(), sorted(methods.current(office).locked(pupils=True))
    with office.write() as connection:
        device = active(connection, signed)
        body = signing.verify(signed, bytes.fromhex(device["public"]), KIND)
        _fresh(body, now)
        school, month = device["school"], office.today().isoformat()[:7]
        due = [at for at in moments(_secret(office), school, month) if at <= now]
        asked = and_(proofs.c.school == school, proofs.c.month == month)
        done = len(list(connection.execute(select(proofs.c.id).where(asked))))
        if not zone or done >= len(due):
            return None
        round_ = new_round(zone, locked)
        connection.execute(
            insert(proofs).values(
                id=secrets.token_urlsafe(8), school=school, month=month, nonce=round_["nonce"],
                asked=_iso(now), due=_iso(now + ANSWER_WITHIN), seen="[]",
                blocked=json.dumps(round_["blocked"]), control=json.dumps(round_["control"]),
            )
        )  # fmt: skip
    names = [*round_["blocked"], *round_["control"]]
    secrets.SystemRandom().shuffle(names)
    return {"names": names, "within_s": int(ANSWER_WITHIN.total_seconds())}


def new_round(zone: str, locked: Iterable[str]) -> dict[str, Any]:
    """One blocked name for each category locked for pupils, and some control names."""
    nonce = secrets.token_hex(8)
    blocked = [f"{nonce}{secrets.token_hex(3)}.{each}.canary.{zone}" for each in locked]
    control = [f"{nonce}{secrets.token_hex(3)}.{OPEN}.canary.{zone}" for _ in range(CONTROLS)]
    return {"nonce": nonce, "blocked": blocked, "control": control}


def _fresh(body: bytes, now: datetime) -> None:
    try:
        at = datetime.fromisoformat(json.loads(body)["at"])
        old = abs(now - at) > REQUEST_AGE
    except (ValueError, KeyError, TypeError):
        old = True
    if old:
        raise EvidenceError("stale_request", "the request is not of this moment")


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _secret(office: Office) -> bytes:
    path = office.state_dir / "keys" / "proof.secret"
    return whole_files.secret(path, lambda: secrets.token_bytes(32))


def read_lines(office: Office, lines: Iterable[str]) -> int:
    """Take query-log lines into account; how many names of open rounds were seen."""
    seen: dict[str, set[str]] = {}
    zone = proof_zone(office)
    for line in lines:
        found = _QUERY.search(line)
        name = found[1].rstrip(".").lower() if found else ""
        if zone and name.endswith(f".canary.{zone}"):
            seen.setdefault(name[:16], set()).add(name)
    if not seen:
        return 0
    now, counted = _iso(office.clock()), 0
    with office.write() as connection:
        for nonce, names in seen.items():
            open_ = and_(proofs.c.nonce == nonce, proofs.c.passed.is_(None))
            row = connection.execute(select(proofs).where(open_)).mappings().first()
            # What comes after the time is up does not count: for controls too late, for blocked
            # names another resolver's curiosity.
            if row is None or row["due"] < now:
                continue
            known = set(json.loads(row["blocked"])) | set(json.loads(row["control"]))
            whole = sorted(set(json.loads(row["seen"])) | (names & known))
            counted += len(names & known)
            connection.execute(
                update(proofs).where(proofs.c.nonce == nonce).values(seen=json.dumps(whole))
            )
    return counted


def read_log(office: Office, path: Path) -> int:
    """Read what the server's log file gained since the last time (a shorter file was rotated).

    In pieces, however much that is; how far it came is kept with each, for after an interruption.
    """
    key = f"proof_log:{path}"
    start = int(kept.value(office, key) or 0)
    if path.stat().st_size < start:
        start = 0
        kept.keep(office, key, str(start))
    found = 0
    with path.open("rb") as file:
        file.seek(start)
        for lines, size in _pieces(file):
            found += read_lines(office, lines)
            start += size
            kept.keep(office, key, str(start))
    return found


def _pieces(file: IO[bytes]) -> Iterator[tuple[list[str], int]]:
    """Whole lines of about a piece each, and the octets they took; the last line only when it has
    ended. A line longer than a piece is passed over: no query is."""
    rest, skipped = b"", 0
    while piece := file.read(_PIECE_BYTES):
        cut = piece.rfind(b"\n") + 1
        if not cut:
            if skipped or len(rest) + len(piece) > _PIECE_BYTES:
                skipped, rest = skipped + len(rest) + len(piece), b""
            else:
                rest += piece
            continue
        whole = rest + piece[:cut]
        # what is left of a line that was passed over is none
        line = whole[whole.index(b"\n") + 1 :] if skipped else whole
        yield line.decode("utf-8", "replace").splitlines(), skipped + len(whole)
        rest, skipped = piece[cut:], 0


def judge(office: Office) -> int:
    """Decide the rounds whose time is up; how many."""
    now = _iso(office.clock())
    over = and_(proofs.c.passed.is_(None), proofs.c.due < now)
    rows = office.rows(select(proofs).where(over))
    with office.write() as connection:
        for row in rows:
            seen = set(json.loads(row["seen"]))
            passed = seen == set(json.loads(row["control"]))
            connection.execute(
                update(proofs).where(proofs.c.id == row["id"]).values(passed=int(passed))
            )
            mark_stale(connection, [(row["school"], row["month"])])
    return len(rows)
