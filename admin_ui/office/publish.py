"""What the office publishes: authority list, canaries of its own zone, floor, method version.

Owns the office's root and release keys, `authority` and `releases`. A release is two static files,
`public/root.json` and `public/bundle.json`, which any web server or CDN may carry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, insert, or_, select, update

from admin_ui.office import kept, methods
from admin_ui.office.database import Office, upsert
from admin_ui.office.tables import authority, releases
from filterd import whole_files
from filterd.errors import ConfigError, EvidenceError, Problem
from filterd.evidence import bundle, signing
from filterd.evidence.bundle import Entry
from filterd.evidence.canonical import digest
from filterd.evidence.signing import DeviceKey
from filterd.lists import catalogue
from filterd.policy.taxonomy import CATEGORIES
from filterd.wire.names import from_text

BUNDLE_DAYS = 30
ROOT_DAYS = 730
_PUBLIC = 0o644
ROOTS = tuple(f"root-{n}" for n in (1, 2, 3))


def keys(office: Office, names: tuple[str, ...]) -> tuple[DeviceKey, ...]:
    """The named keys, made on first use, each in a folder of its own (0700, file 0600)."""
    folder = office.state_dir / "keys"
    return tuple(signing.device_key(folder / name) for name in names)


def add(office: Office, entry: Entry, by: str) -> None:
    """A name on the authority list; EvidenceError `name` for what is no name."""
    try:
        name = str(from_text(entry.name))
    except ValueError:
        name = ""
    if "." not in name:
        raise EvidenceError("name", f"{entry.name!r} is not a domain name")
    row = {"name": name, "document": entry.document, "issuer": entry.issuer,
           "issued": entry.issued, "expires": entry.expires, "entered_by": by,
           "removed": None}  # fmt: skip
    with office.write() as connection:
        statement = upsert(connection, authority).values(**row)
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))


def remove(office: Office, name: str) -> bool:
    """Take a name off; it stays in the table with the day of its removal."""
    with office.write() as connection:
        found = connection.execute(
            update(authority)
            .where(authority.c.name == name, authority.c.removed.is_(None))
            .values(removed=office.today().isoformat())
        )
    return found.rowcount > 0


def entries(office: Office) -> list[Entry]:
    """The authority list in force today."""
    today = office.today().isoformat()
    in_force = or_(authority.c.expires.is_(None), authority.c.expires >= today)
    rows = office.rows(
        select(authority).where(authority.c.removed.is_(None), in_force).order_by(authority.c.name)
    )
    return [
        Entry(row["name"], row["document"], row["issuer"], row["issued"], row["expires"])
        for row in rows
    ]


def proof_zone(office: Office) -> str:
    """The zone of the office's own name server for the independent proof; "" when there is none."""
    return kept.value(office, "proof_zone")


def set_proof_zone(office: Office, zone: str) -> None:
    """Name the zone that the office's own authoritative server serves."""
    kept.keep(office, "proof_zone", zone)


def more_floor(office: Office) -> tuple[str, ...]:
    """Categories that the office locks for pupils besides the method's own."""
    return tuple(json.loads(kept.value(office, "floor") or "[]"))


def set_floor(office: Office, categories: Iterable[str]) -> None:
    """From the next release on; EvidenceError `category` for what is none."""
    wanted = sorted(set(categories))
    for each in wanted:
        if each not in CATEGORIES:
            raise EvidenceError("category", f"{each!r} is no category")
    kept.keep(office, "floor", json.dumps(wanted))


def catalogue_text(office: Office) -> str:
    """The list catalogue for the schools; "" when they use the shipped one alone."""
    return kept.value(office, "catalogue")


def set_catalogue(office: Office, text: str) -> None:
    """From the next release on; ConfigError with every mistake. Its lists stand over the shipped
    ones of the same id; lists in files are refused, as each box has other files."""
    if text.strip():
        for source in catalogue.parse(text, Path("catalogue.yaml"), CATEGORIES):
            if source.url is None:
                raise ConfigError([Problem("catalogue.yaml", None, source.id, "needs a url")])
    kept.keep(office, "catalogue", text if text.strip() else "")


def release(office: Office, by: str, what: str) -> int:
    """Sign and write the next version; its number."""
    (release_key,) = keys(office, ("release",))
    now = office.clock()
    folder = office.state_dir / "public"
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if not (folder / "root.json").exists():
        _write(folder / "root.json", [_first(office, now, release_key)])
    listed = entries(office)
    with office.write() as connection:
        newest = connection.execute(select(func.max(releases.c.version))).scalar() or 0
        body = _body(office, newest + 1, now, listed)
        envelope = bundle.sign(bundle.BUNDLE, body, [release_key])
        connection.execute(
            insert(releases).values(
                version=newest + 1, made=office.moment(), expires=str(body["expires"]),
                digest=digest(envelope), made_by=by, what=what, envelope=envelope,
            )
        )  # fmt: skip
        whole_files.replace(folder / "bundle.json", envelope, mode=_PUBLIC)
    return int(newest + 1)


def renew(office: Office, before: timedelta) -> None:
    """Publish again when the newest release expires within that time."""
    newest = select(releases.c.expires).order_by(releases.c.version.desc()).limit(1)
    rows = office.rows(newest)
    if rows and datetime.fromisoformat(rows[0]["expires"]) < office.clock() + before:
        release(office, "office", "renewed")


def _body(office: Office, version: int, now: datetime, listed: list[Entry]) -> dict[str, object]:
    zone, method = proof_zone(office), methods.current(office)
    categories = sorted(method.locked(pupils=True)) if zone else []
    return {
        "version": version,
        "made": now.isoformat(timespec="seconds"),
        "expires": (now + timedelta(days=BUNDLE_DAYS)).isoformat(timespec="seconds"),
        "method": methods.versions(office).newest.version,
        "methods": dict(methods.texts(office)),
        "floor": {
            "everyone": sorted(method.locked_everyone),
            "pupils": sorted({*method.locked_pupils, *more_floor(office)}),
        },
        "authority": [
            {"name": e.name, "document": e.document, "issuer": e.issuer, "issued": e.issued,
             "expires": e.expires}
            for e in listed
        ],
        "canaries": {category: [f"{category}.canary.{zone}"] for category in categories},
        "catalogue": catalogue_text(office) or None,
    }  # fmt: skip


def _first(office: Office, now: datetime, release_key: DeviceKey) -> bytes:
    roots = keys(office, ROOTS)
    body = bundle.root_body(1, now + timedelta(days=ROOT_DAYS), roots, [release_key])
    return bundle.sign(bundle.ROOT, body, roots)


def rotate(office: Office, held: Path) -> int:
    """A new release key and one new root key in place of the first; the new root's version.

    `held` is the folder with the root keys (a USB stick); at least two of the three must be there.
    EvidenceError `keys`.
    """
    path = office.state_dir / "public" / "root.json"
    chain = [json.dumps(each).encode() for each in json.loads(path.read_bytes())]
    root = bundle.follow(bundle.first_root(chain[0]), chain[1:], office.clock())
    found = [signing.device_key(folder) for folder in sorted(held.iterdir())
             if (folder / signing.KEY_FILE).exists()]  # fmt: skip
    old = [key for key in found if key.public.hex() in root.keys]
    if len(old) < bundle.THRESHOLD:
        raise EvidenceError("keys", f"{len(old)} of the root keys are in {held}, 2 are needed")
    fresh = signing.device_key(held / f"root-{root.version + 3}")
    staying = [key for key in root.keys if key in {k.public.hex() for k in old[-2:]}]
    new_roots = [*[k for k in old if k.public.hex() in staying], fresh]
    release_folder = office.state_dir / "keys" / "release"
    (release_folder / signing.KEY_FILE).unlink(missing_ok=True)
    release_key = signing.device_key(release_folder)
    expires = office.clock() + timedelta(days=ROOT_DAYS)
    body = bundle.root_body(root.version + 1, expires, new_roots, [release_key])
    chain.append(bundle.sign(bundle.ROOT, body, [*old, fresh]))
    _write(path, chain)
    return root.version + 1


def _write(path: Path, chain: list[bytes]) -> None:
    content = json.dumps([json.loads(each) for each in chain])
    whole_files.replace(path, content.encode(), mode=_PUBLIC)


def is_day(text: str) -> bool:
    """An ISO day."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
